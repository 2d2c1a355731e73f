/* SPDX-License-Identifier: Apache-2.0 */
/* project.h - a plugin's source as its author gets it to begin with: gotgt plugin new.  [main] */
#ifndef GOTGT_PROJECT_H
#define GOTGT_PROJECT_H

#include <stdbool.h>
#include <glib.h>

#define PROJECT_ERROR (project_error_quark())
GQuark project_error_quark(void);
enum project_error { PROJECT_ERROR_NAME, PROJECT_ERROR_EXISTS, PROJECT_ERROR_WRITE };

struct project {
	const char *name;	/* the plugin's */
	const char *dir;	/* made when it is not there; nothing may be in it */
	const char *license;	/* an SPDX identifier */
	const char *author;	/* of the copyright line */
};

bool project_write(const struct project *p, GError **error);

/* project/ as text, made by make: a NULL name ends. */
struct project_template {
	const char *name, *text;
};
extern const struct project_template project_templates[];

#endif
