/* SPDX-License-Identifier: Apache-2.0 */
/* Turns the settings lines that follow into struct fields; see lib/service/settings.h. */
/* clang-format off */
#define WEIR_SETTING_STR(field, env, dflt, max, help) const char *field;
#define WEIR_SETTING_INT(field, env, dflt, min, max, unit, help) int64_t field;
#define WEIR_SETTING_BOOL(field, env, dflt, help) bool field;
#define WEIR_SETTING_SECRET(field, env, max, help) const char *field;
