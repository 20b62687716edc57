/* SPDX-License-Identifier: MIT */
/* How a symbol of the library is made visible to its users. */
#ifndef NUMATALLY_EXPORT_H
#define NUMATALLY_EXPORT_H

#if defined(__GNUC__)
#define TALLY_API __attribute__((visibility("default")))
#else
#define TALLY_API
#endif

#ifdef __cplusplus
#define TALLY_BEGIN extern "C" {
#define TALLY_END   }
#else
#define TALLY_BEGIN
#define TALLY_END
#endif

#endif
