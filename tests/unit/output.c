// SPDX-License-Identifier: MIT OR LGPL-2.1
/* output.c - the same calls print readable text and valid JSON. */
#include <string.h>

#include "cli.h"
#include "tap.h"

static void facts(struct output *o)
{
	output_begin(o, NULL);
	output_number(o, "id", -1);
	output_string(o, "text", "a \"b\" \\ \n");
	output_bool(o, "flag", true);
	output_quantity(o, "size", 512, "bytes");
	output_quantity(o, "no", 0, "bytes");
	output_limit(o, "limit", 4096, "bytes");
	output_limit(o, "unlimited", UINT32_MAX, "bytes");
	output_list(o, "none");
	output_list_end(o);
	output_list(o, "some");
	if (o->json)
		output_number(o, NULL, 1);
	if (o->json)
		output_number(o, NULL, 2);
	output_list_end(o);
	output_begin(o, "inner");
	output_number(o, "n", 3);
	output_end(o);
	output_end(o);
}

static char *render(bool json)
{
	size_t size;
	char *text;
	struct output o = { .file = open_memstream(&text, &size), .json = json };

	facts(&o);
	if (!output_finish(&o))
		return NULL;
	fclose(o.file);
	return text;
}

int main(void)
{
	char *json = render(true), *text = render(false);

	ok(json && !strcmp(json,
			   "{\n  \"id\": -1,\n  \"text\": \"a \\\"b\\\" \\\\ \\u000a\",\n"
			   "  \"flag\": true,\n  \"size\": 512,\n  \"no\": 0,\n"
			   "  \"limit\": 4096,\n  \"unlimited\": null,\n  \"none\": [],\n  \"some\": [\n    1,\n    2\n  ],\n"
			   "  \"inner\": {\n    \"n\": 3\n  }\n}\n"),
	   "JSON");
	ok(text && strstr(text, "id                         -1\n") &&
		   strstr(text, "size                       512 bytes\n") &&
		   strstr(text, "no                         none\n") &&
		   strstr(text, "limit                      4096 bytes\n") &&
		   strstr(text, "unlimited                  no limit\n") &&
		   strstr(text, "inner\n  n  "),
	   "text");
	if (tap_failed)
		printf("# %s\n# %s\n", json, text);
	free(json);
	free(text);
	return done();
}
