/* SPDX-License-Identifier: MIT */
/* export: how the library's declarations are marked. */
#ifndef NUMATALLY_EXPORT_H
#define NUMATALLY_EXPORT_H

/* TALLY_API makes a symbol visible outside the library. With TALLY_NODISCARD
 * the compiler warns where a caller drops the result. */
#if defined(__GNUC__)
#define TALLY_API	__attribute__((visibility("default")))
#define TALLY_NODISCARD __attribute__((warn_unused_result))
#else
#define TALLY_API
#define TALLY_NODISCARD
#endif

#ifdef __cplusplus
#define TALLY_BEGIN extern "C" {
#define TALLY_END   }
#else
#define TALLY_BEGIN
#define TALLY_END
#endif

#endif
