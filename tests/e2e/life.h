/* SPDX-License-Identifier: Apache-2.0 */
/* life.h - a server that is started to be killed; ini.c's connections go to the one that was started last. */
#ifndef GOTGT_TESTS_LIFE_H
#define GOTGT_TESTS_LIFE_H

struct life;

/* Start argv, whose first line of output has the portal 127.0.0.1:PORT; env as g_spawn_async() has it. */
struct life *life_begin(const char *const *argv, char **env);
/* How many files and sockets it has open. */
unsigned life_files(const struct life *l);
/* SIGKILL, some time from now. */
void life_kill_after(struct life *l, unsigned delay_us);
/* Wait for that; it ended in no other way. */
void life_end(struct life *l);
/* SIGTERM; it ends, and well. */
void life_stop(struct life *l);

#endif
