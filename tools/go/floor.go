// SPDX-License-Identifier: MIT

package numatally

// #include <numatally.h>
//
// static void go_nothing(void)
// {
// }
//
// static int go_reserve_often(struct tally_ledger *l, struct tally_account a,
//		int node, unsigned int resource, int nr)
// {
//	const struct tally_demand demand = {node, resource, 1};
//	const struct tally_request request = {
//		.size = sizeof(request),
//		.demands = &demand,
//		.nr_demands = 1,
//	};
//	struct tally_token token;
//	int err = 0;
//
//	while (!err && nr--) {
//		err = tally_limit_reserve(l, a, &request, &token, NULL);
//		if (!err)
//			err = tally_limit_release(l, token, NULL, 0);
//	}
//	return err;
// }
import "C"

// What benchmarks compare calls with; tests may not use cgo themselves.

func nothing() { C.go_nothing() }

func reserveOften(l *Ledger, a Account, node int, resource uint32, nr int) error {
	return check("tally_limit_reserve", C.go_reserve_often(l.c, a.c(),
		C.int(node), C.uint(resource), C.int(nr)))
}
