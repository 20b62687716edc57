// SPDX-License-Identifier: MIT
/* Results as text and as CSV. */
#include "config.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "bench.h"

static void cpu_model(char *model, size_t bytes)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, bytes, "an unknown CPU");
	while (f && fgets(line, sizeof(line), f)) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(model, bytes, "%s", value + 2);
		break;
	}
	if (f)
		fclose(f);
}

static void load(char *average, size_t bytes)
{
	FILE *f = fopen("/proc/loadavg", "re");

	snprintf(average, bytes, "?");
	if (f && fgets(average, (int)bytes, f))
		average[strcspn(average, " ")] = '\0';
	if (f)
		fclose(f);
}

void report_machine(FILE *to)
{
	char model[128], average[64];
	struct utsname kernel;

	cpu_model(model, sizeof(model));
	load(average, sizeof(average));
	uname(&kernel);
	fprintf(to, "%s, Linux %s, %s %s, -O2 as configured; load %s\n", model,
		kernel.release,
#ifdef __clang__
		"clang", __clang_version__,
#else
		"gcc", __VERSION__,
#endif
		average);
	fprintf(to,
		"medians over %u rounds of about %.0f us, then over %d code "
		"alignments; %u thread%s%s\n",
		bench_options.rounds, bench_options.round_ns / 1e3,
		BENCH_NR_ALIGNMENTS, bench_options.nr_threads,
		bench_options.nr_threads > 1 ? "s" : "",
		bench_options.cpus[0] < 0 ? ", not pinned" : ", pinned");
	if (bench_options.quick)
		fputs("a quick run: its times mean nothing\n", to);
}

static void print_ns(FILE *to, double ns)
{
	if (ns < 1e4)
		fprintf(to, "%9.2f ns", ns);
	else if (ns < 1e7)
		fprintf(to, "%9.2f us", ns / 1e3);
	else
		fprintf(to, "%9.2f ms", ns / 1e6);
}

static double ratio(const struct bench_group *group,
		    const struct bench_contender *c,
		    const struct bench_result *results)
{
	const struct bench_result *base = &results[bench_base(group, c)];

	return base->ns > 0 ? results[c - group->contenders].ns / base->ns : 0;
}

void report_group(FILE *to, const struct bench_group *group,
		  const struct bench_result *results)
{
	fprintf(to, "\n%s: %s\n  %-46s %12s %9s %14s %10s\n", group->name,
		group->title, "", group->unit, "ratio", "alignments",
		"2 threads");
	for (size_t i = 0; i < group->nr_contenders; i++) {
		const struct bench_contender *c = &group->contenders[i];
		const struct bench_result *r = &results[i];

		fprintf(to, "%c %-46s ", c->kind == BENCH_OURS ? '*' : ' ',
			c->name);
		if (r->missing) {
			fprintf(to, "- %s\n", r->missing);
			continue;
		}
		print_ns(to, r->ns);
		fprintf(to, " %8.2fx %+6.0f%+6.0f %%", ratio(group, c, results),
			100 * (r->least_ns / r->ns - 1),
			100 * (r->most_ns / r->ns - 1));
		if (r->pair_ns > 0)
			fprintf(to, " %9.2fx", r->pair_ns / r->ns);
		fputc('\n', to);
	}
	if (group->note)
		group->note(to);
}

void report_row_head(FILE *to)
{
	fputs("\n| operation | ours | target | second thread | |\n"
	      "|---|---|---|---|---|\n",
	      to);
}

static void print_row(FILE *to, const struct bench_group *group,
		      const struct bench_contender *c,
		      const struct bench_result *results)
{
	const struct bench_result *r = &results[c - group->contenders];
	const struct bench_result *base = &results[bench_base(group, c)];
	double times = ratio(group, c, results);
	double pair = r->ns > 0 ? r->pair_ns / r->ns : 0;
	bool met = true;

	fprintf(to, "| %s | ", c->row);
	if (r->missing) {
		fprintf(to, "- | | | %s |\n", r->missing);
		return;
	}
	print_ns(to, r->ns);
	if (c->target_ns > 0) {
		fprintf(to, " | <= %g ns", c->target_ns);
		met = r->ns <= c->target_ns;
	} else {
		fprintf(to, ", %.2f x | <= %g x %s (", times, c->target_ratio,
			group->contenders[base - results].name);
		print_ns(to, base->ns);
		fputc(')', to);
		met = times <= c->target_ratio;
	}
	fputs(" | ", to);
	if (r->pair_ns > 0)
		fprintf(to, "%.2f x ", pair);
	if (c->second_thread_target > 0) {
		fprintf(to, "(<= %g x; base: %.2f x) ", c->second_thread_target,
			base->ns > 0 ? base->pair_ns / base->ns : 0);
		met = met && pair <= c->second_thread_target;
	}
	fprintf(to, "| %s |\n", met ? "met" : "missed");
}

/* The same while the second thread does something else. */
static void print_busy_row(FILE *to, const struct bench_group *group,
			   const struct bench_contender *c,
			   const struct bench_result *results)
{
	const struct bench_result *r = &results[c - group->contenders];
	const struct bench_result *base = &results[bench_base(group, c)];

	if (r->missing || !(r->pair_ns > 0) || !(base->pair_ns > 0))
		return;
	fprintf(to, "| %s, other CPU busy | ", c->row);
	print_ns(to, r->pair_ns);
	fprintf(to, ", %.2f x | <= %g x %s (", r->pair_ns / base->pair_ns,
		c->target_ratio, group->contenders[base - results].name);
	print_ns(to, base->pair_ns);
	fprintf(to, ") | | %s |\n",
		r->pair_ns <= base->pair_ns * c->target_ratio ? "met"
							      : "missed");
}

void report_rows(FILE *to, const struct bench_group *group,
		 const struct bench_result *results)
{
	for (size_t i = 0; i < group->nr_contenders; i++)
		if (group->contenders[i].row) {
			print_row(to, group, &group->contenders[i], results);
			if (group->contenders[i].company)
				print_busy_row(to, group, &group->contenders[i],
					       results);
		}
}

void report_csv_head(FILE *to)
{
	fputs("group,contender,kind,ns,least_ns,most_ns,two_threads_ns,base,"
	      "ratio,target_ratio,target_ns,missing\n",
	      to);
}

static void csv_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (; text && *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

void report_csv(FILE *to, const struct bench_group *group,
		const struct bench_result *results)
{
	static const char *const kinds[] = {"peer", "floor", "ours"};

	for (size_t i = 0; i < group->nr_contenders; i++) {
		const struct bench_contender *c = &group->contenders[i];
		const struct bench_result *r = &results[i];

		csv_text(to, group->name);
		fputc(',', to);
		csv_text(to, c->name);
		fprintf(to, ",%s,%.4f,%.4f,%.4f,%.4f,", kinds[c->kind], r->ns,
			r->least_ns, r->most_ns, r->pair_ns);
		csv_text(to, group->contenders[bench_base(group, c)].name);
		fprintf(to, ",%.4f,%g,%g,", ratio(group, c, results),
			c->target_ratio, c->target_ns);
		csv_text(to, r->missing);
		fputc('\n', to);
	}
}
