/* SPDX-License-Identifier: MIT */
/*
 * Memory with store buffers, for the models beside it, which define
 *
 *	NR_CPUS		how many CPUs store; one model process each
 *	NR_WORDS	shared words
 *	NR_SLOTS	stores that a buffer holds
 *
 * A store goes into its CPU's buffer and reaches memory some time later, by
 * the process memory(); a load reads its own CPU's newest store, else memory. So
 * a store and a later load of one CPU are reordered, as on x86 (TSO).
 *
 * With -DWEAK stores to different words leave a buffer in any order, as on
 * aarch64, except that a release leaves it after all stores before it. Loads run
 * in program order: each load that a model needs in order is an acquire.
 */
byte mem[NR_WORDS];

typedef buffer {
	byte nr;
	byte word[NR_SLOTS];
	byte value[NR_SLOTS];
	bool release[NR_SLOTS]
}
buffer buffers[NR_CPUS];

byte mem_i;
byte mem_j;

inline put(cpu, a, v, is_release)
{
	atomic {
		buffers[cpu].nr < NR_SLOTS;
		d_step {
			buffers[cpu].word[buffers[cpu].nr] = a;
			buffers[cpu].value[buffers[cpu].nr] = v;
			buffers[cpu].release[buffers[cpu].nr] = is_release;
			buffers[cpu].nr++
		}
	}
}

#define store(cpu, a, v)	 put(cpu, a, v, false)
#define store_release(cpu, a, v) put(cpu, a, v, true)

inline load(cpu, a, v)
{
	d_step {
		v = mem[a];
		mem_i = 0;
		do
		:: mem_i < buffers[cpu].nr ->
			if
			:: buffers[cpu].word[mem_i] == a ->
				v = buffers[cpu].value[mem_i]
			:: else
			fi;
			mem_i++
		:: else -> break
		od;
		mem_i = 0
	}
}

#define is_drained(cpu) (buffers[cpu].nr == 0)

/* A full fence: waits until the buffer is empty. */
#define fence(cpu) is_drained(cpu)

/* The slot-th store reaches memory. */
inline drain(cpu, slot)
{
	mem[buffers[cpu].word[slot]] = buffers[cpu].value[slot];
	mem_j = slot;
	do
	:: mem_j + 1 < buffers[cpu].nr ->
		buffers[cpu].word[mem_j] = buffers[cpu].word[mem_j + 1];
		buffers[cpu].value[mem_j] = buffers[cpu].value[mem_j + 1];
		buffers[cpu].release[mem_j] = buffers[cpu].release[mem_j + 1];
		mem_j++
	:: else -> break
	od;
	buffers[cpu].nr--;
	buffers[cpu].word[buffers[cpu].nr] = 0;
	buffers[cpu].value[buffers[cpu].nr] = 0;
	buffers[cpu].release[buffers[cpu].nr] = false;
	mem_j = 0
}

inline drain_all()
{
	mem_i = 0;
	do
	:: mem_i < NR_CPUS && buffers[mem_i].nr -> drain(mem_i, 0)
	:: mem_i < NR_CPUS && !buffers[mem_i].nr -> mem_i++
	:: mem_i >= NR_CPUS -> break
	od;
	mem_i = 0
}

#define differ(cpu, a, b) (buffers[cpu].word[a] != buffers[cpu].word[b])

/* One per CPU: its stores reach memory. */
proctype memory(byte cpu)
{
end:
	do
	:: d_step { buffers[cpu].nr > 0 -> drain(cpu, 0) }
#ifdef WEAK
	:: d_step { buffers[cpu].nr > 1 && !buffers[cpu].release[1] &&
		    differ(cpu, 0, 1) -> drain(cpu, 1) }
	:: d_step { buffers[cpu].nr > 2 && !buffers[cpu].release[2] &&
		    differ(cpu, 0, 2) && differ(cpu, 1, 2) -> drain(cpu, 2) }
#endif
	od
}
