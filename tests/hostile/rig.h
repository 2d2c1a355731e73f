/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h - a daemon in a process of its own, what it uses, and bytes of any kind for it.  ini.c's connections go to it.
 * Any thread may call any of these.
 */
#ifndef GOTGT_TESTS_RIG_H
#define GOTGT_TESTS_RIG_H

#include <stdarg.h>
#include "../wire/ini.h"

#define OTHER "iqn.2010-01.org.example:other"

extern const char *rig_program, *rig_folder;	/* gotgt; where files may be */
extern bool rig_sanitized;			/* built with a sanitizer: memory is another's, and slow */
extern int rig_pid;

/* A file of zeroes, without any space of its own, in rig_folder. */
void rig_image(const char *name, size_t bytes);
/* Write the configuration (text after portals and control) and start it; wait until it listens. */
void rig_start(const char *text);
/* The same daemon again, at the port it had: after rig_kill() or rig_stop(). */
void rig_restart(void);
void rig_reload(void);
/* SIGTERM: it ends well, within some seconds. */
void rig_stop(void);
void rig_kill(void);
/* What it has said so far has this. */
bool rig_said(const char *text);
/* It has ended: a failure of the test. */
void rig_check_alive(void);

extern unsigned rig_patience_s;	/* within which the control socket answers */
char *rig_portal(void);		/* "ADDRESS:PORT" */
size_t rig_rss_kib(void);
unsigned rig_fds(void);
/* METHOD and path with a body (or NULL) by the control socket; the status, 0 when there was no answer in two seconds. */
unsigned rig_ask(const char *method, const char *path, const char *body);
int rig_control(void);	/* a connection to that socket, -1: none */

/* ---- raw ---- */

/* A connection to the portal; its calls end after a second.  -1: none. */
int raw_connect(void);
/* BHS with lengths filled in, data padded.  False: the other side is gone, or does not take it within a second. */
bool raw_send(int fd, uint8_t bhs[BHS_LEN], const void *data, uint32_t len);
/* One PDU, its data thrown away.  False: none came within a second, or it is closed. */
bool raw_recv(int fd, uint8_t bhs[BHS_LEN]);
/* Logged in to target, with extra keys (';' for NUL); -1: not. */
int raw_login(const char *target, uint8_t id, const char *extra);
/* Bytes that are here are read and forgotten. */
size_t raw_drain(int fd);

#endif
