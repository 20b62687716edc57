/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the memory sampler share: the mappings of a process, and
 * amounts with their bounds.
 */
#ifndef KERNEL_MEM_H
#define KERNEL_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel.h>

/* An amount of bytes. lower and upper are sure; low2 and high2 are the squares
 * of how far a 95 % interval reaches below and above, so that independent
 * errors add up as they should. */
struct mem_amount {
	int64_t bytes;
	int64_t lower;
	int64_t upper;
	double low2;
	double high2;
};

void mem_amount_add(struct mem_amount *to, const struct mem_amount *a);
struct tally_mem_figure mem_amount_figure(const struct mem_amount *a);

/* A mapping's line in /proc/PID/maps. */
struct mem_vma {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t inode;	 /* 0: no file */
	uint32_t dev;
	bool accessible;
	bool shared;
	bool shmem;
	bool hugetlb;
	/* For a sample of pages: */
	uint64_t first_page; /* how many there are in mappings before it */
	unsigned int nr_hits;
	unsigned int nr_looked; /* of these: it was looked who has them mapped */
	unsigned int nr_exclusive;
	bool forked; /* another process has some of its pages */
};

struct mem_vmas {
	struct mem_vma *v; /* ascending */
	unsigned int nr;
	unsigned int cap;
};

/* The devices of the instances of tmpfs that are mounted. */
struct mem_tmpfs {
	uint32_t *dev;
	unsigned int nr;
	bool live;
};

/* Whether a path is one that the kernel gives to shmem. */
bool mem_path_is_shmem(const char *path);

/* live: proc is that of this machine. */
int mem_tmpfs_read(int proc, bool live, struct mem_tmpfs *tmpfs);
int mem_vmas_read(int proc, pid_t pid, const struct mem_tmpfs *tmpfs,
		  struct mem_vmas *vmas);
/* The mapping that holds the address, or NULL. */
const struct mem_vma *mem_vmas_find(const struct mem_vmas *vmas, uint64_t at);

/*
 * Bytes that other processes of the tree may have mapped as well: those of one
 * node in [lo, hi) of a file; or at addresses, where they are anonymous (a
 * fork's pages keep their address).
 */
struct mem_part {
	uint64_t inode;
	uint64_t lo;
	uint64_t hi;
	uint32_t dev;
	unsigned int process;
	int node;
	enum tally_mem_kind kind;
	struct mem_amount amount;
};

/* A dev for the totals of a process of which nothing else is known. */
#define MEM_DEV_TOTALS UINT32_MAX

struct mem_parts {
	struct mem_part *p;
	unsigned int nr;
	unsigned int cap;
};

int mem_parts_add(struct mem_parts *parts, const struct mem_part *part);
/* Hands out every byte once; sorts the parts. */
void mem_parts_merge(struct mem_parts *parts,
		     void (*each)(void *arg, int node, enum tally_mem_kind kind,
				  const struct mem_amount *amount),
		     void *arg);

/* A resident page of a sample. */
struct mem_hit {
	uint64_t address;
	unsigned int vma;
	int node;
	enum tally_mem_kind kind;
	bool looked;
	bool exclusive; /* no other process has it mapped; where not looked,
			   supposed of all but files */
};

struct mem_hits {
	struct mem_hit *h;
	unsigned int nr;
	unsigned int cap;
};

/*
 * Fills hits with resident pages of a process, which has about so many; where
 * split, with a look at some of every mapping.
 *
 * -EAGAIN	too few of the pages drawn were resident
 * -ESRCH	it ended
 * other	as open(2) of its pagemap, and move_pages(2), say
 */
int mem_pages_draw(int proc, pid_t pid, bool split, struct mem_vmas *vmas,
		   uint64_t resident, uint64_t *seed, struct mem_hits *hits);

/* What pages of a mapping say: [1] of those of files and shared memory, [0] of
 * all others. */
struct mem_look {
	bool all; /* at all its pages, not at some that were drawn */
	unsigned int exclusive[2]; /* no other process has them mapped */
	unsigned int of[2];	   /* present */
};

/* Mappings of at least so many bytes are looked at in part: about 100 us. */
#define MEM_LOOK_AT_ALL (4 << 20)

/* False: too few were resident, or pagemap couldn't be read. */
bool mem_pages_look(int pagemap, const struct mem_vma *vma, uint64_t *seed,
		    struct mem_look *look);

/* Orders hits by kind and node, first those of nobody else, then others by
 * mapping; and the length of the group that begins at first. */
void mem_hits_sort(struct mem_hits *hits);
unsigned int mem_hits_group(const struct mem_hits *hits, unsigned int first);

/* What nr hits of so many stand for, of this total. */
struct mem_amount mem_share(int64_t total, unsigned int nr, unsigned int of);

/* ---- reading a process ---------------------------------------------------- */

/* What the process that is being read has on a node. */
struct mem_node {
	int node;
	struct mem_amount all[TALLY_NR_MEM];
	/* What it alone has mapped, and what it may be that alone has. */
	struct mem_amount own[TALLY_NR_MEM];
	struct mem_amount maybe[TALLY_NR_MEM];
	/* Threads that ran there last; not read by the reader. */
	unsigned int nr_threads;
	int64_t cpu_ns;
};

struct mem_nodes {
	struct mem_node *n; /* all that were ever seen, ascending */
	unsigned int nr;
	unsigned int cap;
	struct mem_node unknown; /* of no node in particular: -1 */
};

/* The entry of a node (below 0: the unknown); NULL: no memory. */
struct mem_node *mem_nodes_at(struct mem_nodes *l, int node);
/* Sets all that is known of the nodes to 0. */
void mem_nodes_clear(struct mem_nodes *l);

struct mem_reader {
	int proc;
	bool live;     /* /proc is this machine's, not a captured one */
	bool split;    /* find out of every page who has it mapped */
	bool one_node; /* there is no other than the one that is known */
	int64_t large_bytes;
	double lag2; /* how far a total of status may be off, squared */
	struct tally_numa_maps *parser;
	struct mem_tmpfs tmpfs;
	struct mem_vmas vmas;
	struct mem_hits hits; /* as many as a sample takes */
	uint64_t seed;
	uint64_t nr_malformed;
	struct mem_parts parts; /* of all that were read since somebody emptied
				   it: what others may have as well */
	struct mem_nodes nodes;
	/* The process that is being read. */
	const struct tally_process *process;
	unsigned int index;
	unsigned int nr_lines;
	int pagemap; /* -1: not opened yet */
	int err;
};

/* Sets what is not given to its default. -EINVAL: as
 * tally_kernel_mem_create(). */
int mem_options_set(const struct tally_mem_options *given,
		    struct tally_mem_options *o);

int mem_reader_open(const char *root, const struct tally_mem_options *o,
		    struct mem_reader *reader);
/* Also what was not opened, but is all zero but for proc, -1. */
void mem_reader_close(struct mem_reader *reader);

enum mem_way {
	MEM_WALKED,
	MEM_SAMPLED,
	MEM_TOTALS,  /* no NUMA: all on node 0 */
	MEM_REFUSED, /* its totals are of no node */
};

/*
 * Reads a process: into nodes, and with index into parts. refused is why it
 * is MEM_REFUSED, and untouched else.
 *
 * -ESRCH	it ended; parts is as it was
 * -ENOMEM	no memory
 * other	what reading its totals said; parts is as it was
 */
int mem_reader_read(struct mem_reader *r, const struct tally_process *p,
		    unsigned int index, enum mem_way *way, int *refused);

/* The steps of that, which leave an error in err, say of every byte that it is
 * there, and then whose it is: of nobody else; or of others too, as part of
 * something or of a mapping (NULL: not known which) that begins at start. Where
 * that is not sure, it may be its own after all. */
void mem_add_all(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a);
void mem_add_own(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a);
void mem_add_part(struct mem_reader *r, const struct mem_part *part, bool sure);
void mem_add_mapped(struct mem_reader *r, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a, bool sure);

/*
 * Reads the process that is being read: every line of its numa_maps.
 *
 * -ESRCH	it ended
 * -ENOENT	it ended, or the kernel knows no NUMA
 * -ENOMEM	no memory
 * other	as open(2), read(2) say
 */
int mem_walk(struct mem_reader *r);
void mem_walk_line(void *arg, const struct tally_mapping *map);

/* Reads its totals, as if all of it were on one node (-1: on no known one).
 * Errors as above. */
int mem_totals(struct mem_reader *r, int node);

/* Reads its totals, and a sample of its pages. Errors as mem_pages_draw(). */
int mem_sample_pages(struct mem_reader *r);

/* ---- the budget ----------------------------------------------------------- */

struct mem_budget {
	unsigned int ppm;
	int64_t burst_ns;
	int64_t save_ns; /* so much can be saved up for later */
	bool started;
	int64_t debt_ns; /* below 0: saved up */
	int64_t last_ns;
};

/* Something took from begin to end. Returns how long it takes until no more
 * than the burst is owed for it, or what is below 0 for less. */
int64_t mem_budget_spend(struct mem_budget *b, int64_t begin, int64_t end);

#endif
