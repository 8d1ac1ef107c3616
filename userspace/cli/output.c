// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * output.c - print facts as indented text or as JSON, by the same calls. Text is for people and has
 * units; JSON is for programs and has none. A NULL key makes an element of a list, or the document.
 */
#include <stdlib.h>

#include "cli.h"

#define TEXT_WIDTH 26

static void quote(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < 0x20)
			fprintf(file, "\\u%04x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

/* Print everything before the value. */
static void start(struct output *o, const char *key)
{
	unsigned int indent = o->level ? o->level - 1 : 0;

	if (o->json) {
		if (o->started[o->level])
			fputc(',', o->file);
		if (o->level)
			fprintf(o->file, "\n%*s", 2 * (int)o->level, "");
		o->started[o->level] = true;
		if (key) {
			quote(o->file, key);
			fputs(": ", o->file);
		}
	} else if (key) {
		fprintf(o->file, "%*s%-*s ", 2 * indent, "", TEXT_WIDTH - 2 * indent, key);
	}
}

static void nest(struct output *o, const char *key, char open)
{
	if (o->json) {
		start(o, key);
		fputc(open, o->file);
	} else if (key) {
		fprintf(o->file, "%*s%s\n", o->level ? 2 * (int)(o->level - 1) : 0, "", key);
	}
	o->started[++o->level] = false;
}

static void unnest(struct output *o, char close)
{
	bool any = o->started[o->level--];

	if (!o->json)
		return;
	if (any)
		fprintf(o->file, "\n%*s", 2 * (int)o->level, "");
	fputc(close, o->file);
}

void output_begin(struct output *o, const char *key)
{
	nest(o, key, '{');
}

void output_end(struct output *o)
{
	unnest(o, '}');
}

void output_list(struct output *o, const char *key)
{
	nest(o, key, '[');
}

void output_list_end(struct output *o)
{
	unnest(o, ']');
}

void output_string(struct output *o, const char *key, const char *value)
{
	start(o, key);
	if (o->json)
		quote(o->file, value);
	else
		fprintf(o->file, "%s\n", value);
}

void output_number(struct output *o, const char *key, int64_t value)
{
	start(o, key);
	fprintf(o->file, o->json ? "%lld" : "%lld\n", (long long)value);
}

void output_quantity(struct output *o, const char *key, uint64_t value, const char *unit)
{
	start(o, key);
	if (o->json)
		fprintf(o->file, "%llu", (unsigned long long)value);
	else if (value)
		fprintf(o->file, "%llu %s\n", (unsigned long long)value, unit);
	else
		fputs("none\n", o->file);
}

void output_limit(struct output *o, const char *key, uint32_t value, const char *unit)
{
	if (value != UINT32_MAX) {
		output_quantity(o, key, value, unit);
		return;
	}
	start(o, key);
	fputs(o->json ? "null" : "no limit\n", o->file);
}

void output_bool(struct output *o, const char *key, bool value)
{
	start(o, key);
	if (o->json)
		fputs(value ? "true" : "false", o->file);
	else
		fprintf(o->file, "%s\n", value ? "yes" : "no");
}

void output_line(struct output *o, const char *text)
{
	fprintf(o->file, "%*s%s\n", 2 * (int)(o->level - 1), "", text);
}

bool output_finish(struct output *o)
{
	if (o->json)
		fputc('\n', o->file);
	return !fflush(o->file) && !ferror(o->file);
}
