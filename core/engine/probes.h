/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probes.h - static probes for tracers (USDT): a nop, and a note in the program of where its arguments are.  HACKING
 * has how they are used.  Arguments are what lies at hand: they are worked out whether somebody looks or not.  [any]
 */
#ifndef GOTGT_PROBES_H
#define GOTGT_PROBES_H

#ifdef HAVE_SYS_SDT_H
#include <sys/sdt.h>
#define PROBE3(name, a, b, c) DTRACE_PROBE3(gotgt, name, a, b, c)
#define PROBE5(name, a, b, c, d, e) DTRACE_PROBE5(gotgt, name, a, b, c, d, e)
#else
#define PROBE3(name, a, b, c) do { } while (0)
#define PROBE5(name, a, b, c, d, e) do { } while (0)
#endif

#endif
