/* SPDX-License-Identifier: MIT */
/*
 * A robust lock that goes round (lib/file/turn.c), of processes that may be
 * killed at any step.
 *
 *   turn_try, try:  turn 0 or one's own? ─▶ owner 0 ─▶ oneself ─▶ turn 0, if it
 *                      │                       │                  was one's own
 *                      v no                    v no
 *   wait_for_lock:  ┌─ wait ◀──────────────────┘
 *                   ├─▶ the owner is dead: owner ─▶ oneself     take_over
 *                   ├─▶ turn 0 ─▶ one's own                     see_to_turns
 *                   ├─▶ turn ─▶ 0, if nobody took it for long
 *                   └─▶ try again
 *
 * A waiter that is not scheduled for long loses its turn, too (-DSLOW). A wait
 * without an end is an invalid end state here; in the library a call gives up
 * after a second.
 *
 * Holds: one process at a time has the lock; each that lives gets it. While
 * nobody's turn is ended too early, those that looked before may take the lock
 * before the one whose turn it is, each once, and no more.
 *
 * must fail:
 *   -DUNHEEDED		who comes first does not look whose turn it is
 *   -DUNHEEDED_LATER	... or who waits
 *   -DNEVER_VOID	a dead process's turn does not end
 *   -DKEPT		a turn does not end when it is taken
 *   -DNO_TAKE_OVER	a dead process's lock is not taken
 */
#define NR	 3
#define NR_CALLS 2

byte owner; /* 0: none */
byte turn;
bool dead[NR + 1];
byte passed[NR + 1]; /* by others since it was one's turn */
byte inside;
byte nr_done;

inline fate()
{
	if
	:: skip
	:: dead[m] = true; goto out
	fi
}

/* At the one step that takes the lock. */
inline taken()
{
	owner = m;
	d_step {
		if
		:: turn && turn != m && !dead[turn] ->
			passed[turn]++;
#ifndef SLOW
			assert(passed[turn] < NR)
#endif
		:: else
		fi
	}
}

proctype caller(byte m)
{
	byte calls, whose;

	do
	:: calls == NR_CALLS -> break
	:: else ->
		calls++;
#ifdef UNHEEDED
		whose = 0;
#else
		whose = turn;
#endif
try:
		fate();
		if
		:: whose && whose != m -> goto wait
		:: else
		fi;
		atomic {
			if
			:: owner == 0 -> taken(); goto got
			:: else
			fi
		};
wait:
		fate();
		if
#ifndef NO_TAKE_OVER
		:: atomic { owner && dead[owner] -> inside = 0; taken() };
			goto got
#endif
		:: atomic { turn == 0 && owner != 0 ->
				turn = m; passed[m] = 0 };
			goto wait
#ifndef NEVER_VOID
		:: atomic { turn && turn != m && dead[turn] -> turn = 0 };
			goto wait
#endif
#ifdef SLOW
		:: atomic { turn && turn != m -> turn = 0 };
			goto wait
#endif
#ifdef UNHEEDED_LATER
		:: owner == 0 -> whose = 0; goto try
#else
		:: owner == 0 && (turn == 0 || turn == m) ->
			whose = turn;
			goto try
#endif
		fi;
got:
		fate();
#ifndef KEPT
		atomic {
			if
			:: turn == m -> turn = 0
			:: else
			fi
		};
#endif
		inside++;
		assert(inside == 1);
		fate();
		inside--;
		owner = 0
	od;
out:
	nr_done++
}

init {
	byte m;

	atomic {
		m = 1;
		do
		:: m > NR -> break
		:: else -> run caller(m); m++
		od
	};
end:
	nr_done == NR
}
