// SPDX-License-Identifier: MIT
/* The socket that is listened at, and privileges that nothing needs after that. */
#include "config.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/opt.h"
#include "export/listen.h"

#define LOOPBACK "127.0.0.1"

/* "ADDR:PORT", "[ADDR]:PORT" or "PORT", in numbers, or localhost. */
static bool split(const char *text, char host[64], char port[8])
{
	const char *colon = strrchr(text, ':');
	const char *from = text, *p = colon ? colon + 1 : text;
	size_t bytes = colon ? (size_t)(colon - text) : 0;
	uint64_t number;

	if (!parse_number(p, 0, UINT16_MAX, &number))
		return false;
	snprintf(port, 8, "%u", (unsigned int)number);
	snprintf(host, 64, "%s", LOOPBACK);
	if (!colon || (bytes == 9 && !strncmp(text, "localhost", 9)))
		return true;
	if (bytes > 2 && text[0] == '[' && colon[-1] == ']') {
		from++;
		bytes -= 2;
	}
	if (!bytes || bytes >= 64)
		return false;
	memcpy(host, from, bytes);
	host[bytes] = '\0';
	return true;
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *four = (const void *)address;
	const struct sockaddr_in6 *six = (const void *)address;

	return address->sa_family == AF_INET
		       ? ntohl(four->sin_addr.s_addr) >> 24 == 127
		       : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static int listen_at(const struct addrinfo *ai)
{
	int one = 1;
	int fd = socket(ai->ai_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, SOMAXCONN)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int name(int fd, char *url, size_t bytes)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	char host[64], port[8];

	if (getsockname(fd, (struct sockaddr *)&address, &size) ||
	    getnameinfo((struct sockaddr *)&address, size, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return -1;
	snprintf(url, bytes,
		 address.ss_family == AF_INET6 ? "http://[%s]:%s/metrics"
					       : "http://%s:%s/metrics",
		 host, port);
	return 0;
}

int export_socket(const char *text, bool public, int *fd, char *url,
		  size_t bytes)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *ai;
	char host[64], port[8];

	if (!split(text, host, port) || getaddrinfo(host, port, &hints, &ai))
		return opt_error("--listen: '%s' is not ADDRESS:PORT, in "
				 "numbers",
				 text);
	if (!public && !is_loopback(ai->ai_addr)) {
		freeaddrinfo(ai);
		return opt_error("%s: others than this machine could connect "
				 "(--public allows it)",
				 text);
	}
	*fd = listen_at(ai);
	freeaddrinfo(ai);
	if (*fd >= 0 && !name(*fd, url, bytes))
		return 0;
	warn("%s", text);
	if (*fd >= 0)
		close(*fd);
	return EXIT_FAILURE;
}

/* ---- privileges ---------------------------------------------------------------- */

/* What could not be given up is not worth an error: there was none to give up, or
 * no more than before. */
void export_drop_privileges(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (unsigned long cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (syscall(SYS_capget, &header, data))
		return;
	/* Ledgers of others are read. */
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= i ? 0 : 1u << CAP_DAC_READ_SEARCH;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	(void)syscall(SYS_capset, &header, data);
}
