/* SPDX-License-Identifier: Apache-2.0 */
/* iscsi-fixture.h - a connection, a node and a session made up for the tests of login and text. */
#ifndef GOTGT_TESTS_FIXTURE_H
#define GOTGT_TESTS_FIXTURE_H

#include "iscsi/discovery.h"
#include "iscsi/login.h"
#include "iscsi/session.h"
#include "iscsi/text.h"

#define HOST "iqn.2010-01.org.example:host"
#define DISK "iqn.2010-01.org.example:disk"
#define NAMES "InitiatorName=" HOST ";TargetName=" DISK ";"

enum { OPERATIONAL_TO_FULL = 0x80 | 1 << 2 | 3, SECURITY_TO_FULL = 0x80 | 3, SECURITY_TO_OPERATIONAL = 0x80 | 1,
       OPERATIONAL = 1 << 2, SECURITY = 0, MORE = 0x40 };

struct portal { const char *name, *advertise; };

/* What the code under test sent last, and how it left the connection. */
struct seen {
	uint8_t bhs[BHS_LEN];
	GByteArray *data;
	unsigned count;
	bool finished, digests;
	unsigned failures;
	struct session_open open;
	unsigned opened;
	enum login_status session_status;
	bool session_waits;
	void (*ready)(struct conn *c, enum login_status status);
};
extern struct seen seen;

extern struct node node;
extern struct node_target target, elsewhere;	/* reached through all portals, through portals[1] alone */
extern struct portal portals[3];
extern struct session session;
extern struct conn conn;
extern char *logged;		/* the last line */
extern uint8_t login_bhs[BHS_LEN];

typedef struct verdict pdu_handler(struct conn *c, const struct pdu *p);

void set_up(void);
void tear_down(void);
/* A connection nobody has said anything on, and a login request for it. */
void begin(void);
void local_is(int family, const char *addr);
/* Hand over a PDU; pairs with ';' for NUL. */
struct verdict give(pdu_handler *handler, uint8_t *bhs, uint8_t flags, const char *pairs);
void login(uint8_t flags, const char *pairs);
/* The text of the last response, ';' for NUL. */
char *said(void);
/* The last response was a login's that goes on, or ends well; or one that refuses. */
void expect(uint8_t flags, const char *text);
void expect_refusal(enum login_status status);

#endif
