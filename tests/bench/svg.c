// SPDX-License-Identifier: MIT
/*
 * A picture of a group: a bar for each contender, from the left edge to its
 * time per operation, on a logarithmic axis if the range needs one; a line from
 * the least to the most over alignments; a mark at the target. It has a
 * background of its own, dark if the page asks for dark, so that it is readable
 * on any page.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "bench.h"

#define WIDTH	 860.0
#define NAME_END 330.0 /* names end, bars begin */
#define BARS_END 700.0 /* figures follow */
#define TOP	 64.0
#define PITCH	 26.0
#define BAR	 16.0
#define FOOT	 40.0

struct axis {
	double from, to; /* ns */
	bool log;
};

static const char style[] =
	"<style>\n"
	"text{font:13px system-ui,sans-serif;fill:#1f2328}\n"
	".g{fill:#fff}.title{font-weight:600;font-size:15px}\n"
	".dim{fill:#59636e;font-size:12px}.ours{font-weight:600}\n"
	".tick{stroke:#d1d9e0}.spread{stroke:#1f2328;stroke-width:1.5}\n"
	".b0{fill:#9aa4af}.b1{fill:#c9a227}.b2{fill:#0b6bcb}\n"
	".aim{stroke:#c62828;stroke-width:2.5}\n"
	"@media(prefers-color-scheme:dark){\n"
	"text{fill:#f0f6fc}.g{fill:#0d1117}.dim{fill:#9198a1}\n"
	".tick{stroke:#3d444d}.spread{stroke:#f0f6fc}\n"
	".b0{fill:#6b7683}.b1{fill:#b08d1e}.b2{fill:#3b8eea}\n"
	".aim{stroke:#ff7b72}}\n"
	"</style>\n";

static void text(FILE *to, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			fputs("&lt;", to);
		else if (*s == '>')
			fputs("&gt;", to);
		else if (*s == '&')
			fputs("&amp;", to);
		else
			fputc(*s, to);
	}
}

static void time_text(char *s, size_t bytes, double ns)
{
	if (ns < 1e3)
		snprintf(s, bytes, "%.3g ns", ns);
	else if (ns < 1e6)
		snprintf(s, bytes, "%.3g \xc2\xb5s", ns / 1e3);
	else
		snprintf(s, bytes, "%.3g ms", ns / 1e6);
}

static double target_ns(const struct bench_group *group,
			const struct bench_contender *c,
			const struct bench_result *results)
{
	if (c->target_ns > 0)
		return c->target_ns;
	return c->target_ratio * results[bench_base(group, c)].ns;
}

static struct axis choose(const struct bench_group *group,
			  const struct bench_result *results)
{
	struct axis a = {.from = 0, .to = 0, .log = false};
	double least = INFINITY;

	for (size_t i = 0; i < group->nr_contenders; i++) {
		const struct bench_result *r = &results[i];

		if (r->missing)
			continue;
		a.to = fmax(a.to, fmax(r->most_ns,
				       target_ns(group, &group->contenders[i],
						 results)));
		least = fmin(least, r->least_ns);
	}
	if (!(a.to > 0))
		a.to = 1;
	if (a.to / least > 20) {
		a.log = true;
		a.from = pow(10, floor(log10(least) - 0.2));
		a.to = pow(10, ceil(log10(a.to)));
	} else {
		a.to *= 1.05;
	}
	return a;
}

static double x_of(const struct axis *a, double ns)
{
	double part;

	if (a->log)
		part = ns > a->from ? log(ns / a->from) / log(a->to / a->from)
				    : 0;
	else
		part = ns / a->to;
	return NAME_END + part * (BARS_END - NAME_END);
}

static void tick(FILE *to, const struct axis *a, double ns, double bottom)
{
	char label[32] = "0";
	double x = x_of(a, ns);

	if (ns > 0)
		time_text(label, sizeof(label), ns);
	fprintf(to,
		"<line class=\"tick\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/>\n"
		"<text class=\"dim\" x=\"%.1f\" y=\"%.1f\" "
		"text-anchor=\"middle\">%s</text>\n",
		x, x, TOP - 6, bottom, x, bottom + 16, label);
}

static void ticks(FILE *to, const struct axis *a, double bottom)
{
	double step, unit;

	if (a->log) {
		for (double ns = a->from; ns <= a->to * 1.001; ns *= 10)
			tick(to, a, ns, bottom);
		return;
	}
	unit = pow(10, floor(log10(a->to / 4)));
	step = unit * (a->to / 4 / unit >= 5   ? 5
		       : a->to / 4 / unit >= 2 ? 2
					       : 1);
	for (int i = 0; i * step <= a->to; i++)
		tick(to, a, i * step, bottom);
}

static void bar(FILE *to, const struct axis *a, const struct bench_group *group,
		const struct bench_result *results, size_t i)
{
	const struct bench_contender *c = &group->contenders[i];
	const struct bench_result *r = &results[i];
	double y = TOP + PITCH * (double)i;
	double base_ns = results[bench_base(group, c)].ns;
	double aim = target_ns(group, c, results);
	const char *ours = c->kind == BENCH_OURS ? " class=\"ours\"" : "";
	char label[32];

	fprintf(to, "<text%s x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", ours,
		NAME_END - 10, y + 13);
	text(to, c->name);
	fputs("</text>\n", to);
	if (r->missing) {
		fprintf(to, "<text class=\"dim\" x=\"%.1f\" y=\"%.1f\">",
			NAME_END + 6, y + 13);
		text(to, r->missing);
		fputs("</text>\n", to);
		return;
	}
	time_text(label, sizeof(label), r->ns);
	fprintf(to,
		"<rect class=\"b%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		"height=\"%.1f\"/>\n"
		"<line class=\"spread\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/>\n",
		(int)c->kind, NAME_END, y, fmax(x_of(a, r->ns) - NAME_END, 1),
		BAR, x_of(a, r->least_ns), x_of(a, r->most_ns), y + BAR / 2,
		y + BAR / 2);
	fprintf(to, "<text%s x=\"%.1f\" y=\"%.1f\">%s \xc2\xb7 %.*f\xc3\x97",
		ours, BARS_END + 14, y + 13, label,
		r->ns < 10 * base_ns ? 2 : 0,
		base_ns > 0 ? r->ns / base_ns : 0);
	fputs("</text>\n", to);
	if (aim > 0)
		fprintf(to,
			"<line class=\"aim\" x1=\"%.1f\" x2=\"%.1f\" "
			"y1=\"%.1f\" y2=\"%.1f\"/>\n",
			x_of(a, aim), x_of(a, aim), y - 4, y + BAR + 4);
}

void report_svg(FILE *to, const struct bench_group *group,
		const struct bench_result *results)
{
	struct axis a = choose(group, results);
	double bottom = TOP + PITCH * (double)group->nr_contenders;
	double height = bottom + FOOT;

	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
		"height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n%s"
		"<rect class=\"g\" width=\"%.0f\" height=\"%.0f\" "
		"rx=\"6\"/>\n<text class=\"title\" x=\"20\" y=\"26\">",
		WIDTH, height, WIDTH, height, style, WIDTH, height);
	text(to, group->title);
	fputs("</text>\n<text class=\"dim\" x=\"20\" y=\"46\">", to);
	fputs("time per ", to);
	text(to, group->unit);
	fputs(a.log ? ", logarithmic" : "", to);
	fputs(" \xc2\xb7 \xc3\x97: of the first bar \xc2\xb7 blue: numatally "
	      "\xc2\xb7 line: over code alignments \xc2\xb7 red: our target"
	      "</text>\n",
	      to);
	ticks(to, &a, bottom);
	for (size_t i = 0; i < group->nr_contenders; i++)
		bar(to, &a, group, results, i);
	fputs("</svg>\n", to);
}
