// SPDX-License-Identifier: MIT
#include "config.h"

#include <numatally/version.h>

uint32_t tally_version(void)
{
	return TALLY_VERSION;
}
