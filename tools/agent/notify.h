/* SPDX-License-Identifier: MIT */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

/* Tell the manager that started this program, if it wants to know: as
 * sd_notify(3) would. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
