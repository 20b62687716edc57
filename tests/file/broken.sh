#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks what tells which writers live on purpose: the tests must fail.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "file/writer file/robust" <<'EOF_LIST'
whole|file/test_steps file/test_locks open/test_missing||
a claim is stored before its byte is locked|file/test_steps|file/writer|/^static int claim(/,/^}/{s/^	if (!err)$/	if (!err \&\& !__atomic_compare_exchange_n(\&slot_at(layout, i)->claim, \&old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return -EAGAIN;\n	old = new;\n&/;s/^	if (__atomic_compare_exchange_n(/	if (1 || __atomic_compare_exchange_n(/;}
a claim that another process took is kept|file/test_steps|file/writer|/^static int claim(/,/^}/{s/^	if (__atomic_compare_exchange_n(&slot/	__atomic_store_n(\&slot_at(layout, i)->claim, new, __ATOMIC_RELEASE);\n	if (1 || __atomic_compare_exchange_n(\&slot/;}
a slot is claimed without a look whether its process lives|file/test_steps|file/writer|/^static int claim(/,/^}/s/int err = is_alive(layout, i, old);/int err = 0;/
the next process has the dead one's generation|file/test_steps|file/writer|/^static int claim(/,/^}/s/((old >> 32) + 1) << 32/old >> 32 << 32/
what the dead pinned counts|file/test_steps|file/writer|/^static uint32_t value_of/,/^}/s/return (claim ^ w) >> 32 .. !is_alive(layout, i, claim) ? 0/return 0 ? 0/
the byte is not locked|file/test_steps|file/writer|s/int err = lock_byte(fd, F_OFD_SETLK, &type, i, \*claim);/int err = 0;/
a child of fork keeps the lock|file/test_locks|file/writer|s/if (madvise(p, bytes, MADV_DONTFORK))/if (0)/
a descriptor keeps the lock|file/test_locks|file/writer|/^static int lock_slot/,/^}/s/close(fd);/(void)fd;/
a reader's lock counts|file/test_locks|file/writer|s/claim & SHARED ? F_WRLCK : F_RDLCK/F_WRLCK/
a reader's lock keeps writers out|file/test_locks|file/writer|/^static int lock_claim/,/^}/s/type = F_RDLCK;/return -EAGAIN;/
what the kernel does not tell is death|file/test_locks|file/writer|s/return err ? err : type != F_UNLCK;/return err ? 0 : type != F_UNLCK;/
a descriptor is not compared with the file|open/test_missing|file/descriptor|/^static bool is_same(/,/^}/s/&& is_same_file/|| is_same_file/
EOF_LIST
