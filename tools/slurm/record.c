// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"

/* Of all nodes: a task that ran has CPU time and memory, so 0 is unknown. */
struct known {
	bool cpu, sampled, peak;
};

static struct known find_known(const struct book *b, int64_t (*has)[BOOK_NR])
{
	struct known k = {false, false, false};

	for (unsigned int n = 0; n < tally_topo_nr_nodes(b->topo); n++) {
		k.sampled |= has[n][BOOK_CPU_SAMPLED] != 0;
		k.cpu |= has[n][BOOK_CPU] || has[n][BOOK_CPU_SAMPLED];
		k.peak |= has[n][BOOK_PEAK] != 0;
	}
	return k;
}

static bool is_nothing(const int64_t *has)
{
	for (int r = 0; r < BOOK_NR; r++)
		if (has[r])
			return false;
	return true;
}

static void put_node(struct json_writer *w, int node, const int64_t *has,
		     const struct known *k)
{
	json_open_object(w, NULL);
	json_put_int(w, "id", node);
	json_put_int(w, "cores", has[BOOK_CORES]);
	json_put_int(w, "memory_bytes", has[BOOK_MEMORY]);
	json_put_int_unless(w, "cpu_ns",
			    k->cpu ? has[BOOK_CPU] + has[BOOK_CPU_SAMPLED] : -1,
			    -1);
	json_put_int_unless(w, "memory_peak_bytes",
			    k->peak ? has[BOOK_PEAK] : -1, -1);
	json_close_object(w);
}

static void put(struct json_writer *w, const struct book *b,
		const struct record *r, int64_t (*has)[BOOK_NR])
{
	struct known k = find_known(b, has);

	json_open_object(w, NULL);
	json_put_int(w, "version", 1);
	json_put_uint(w, "job", r->job);
	json_put_int_unless(w, "uid", r->uid, -1);
	json_put_string(w, "user", r->user);
	json_put_string(w, "host", r->host);
	json_put_string(w, "hosts", r->hosts);
	json_put_int(w, "ended_ns", real_ns(now_ns()));
	json_open_array(w, "nodes");
	for (unsigned int n = 0; n < tally_topo_nr_nodes(b->topo); n++)
		if (!is_nothing(has[n]))
			put_node(w, tally_topo_node(b->topo, n)->id, has[n],
				 &k);
	json_close_array(w);
	json_open_array(w, "estimates");
	if (k.sampled)
		json_put_string(w, NULL, "cpu_ns");
	if (k.peak)
		json_put_string(w, NULL, "memory_peak_bytes");
	json_close_array(w);
	json_close_object(w);
}

static int append(const char *path, const char *line, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	do
		n = write(fd, line, bytes);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else if ((size_t)n < bytes)
		err = -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int record_append(struct book *b, const struct record *r, const char *path)
{
	int64_t(*has)[BOOK_NR] =
		calloc(tally_topo_nr_nodes(b->topo), sizeof(*has));
	struct json_writer *w = malloc(sizeof(*w));
	char *line = NULL;
	size_t bytes = 0;
	FILE *f = NULL;
	int err = has && w ? book_has(b, r->job, has) : -ENOMEM;

	if (!err) {
		f = open_memstream(&line, &bytes);
		err = f ? 0 : -ENOMEM;
	}
	if (!err) {
		json_begin(w, f);
		put(w, b, r, has);
		err = json_finish(w);
	}
	if (f && fclose(f) && !err)
		err = -ENOMEM;
	if (!err)
		err = append(path, line, bytes);
	free(line);
	free(w);
	free(has);
	return err;
}
