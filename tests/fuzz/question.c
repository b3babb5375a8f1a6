/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question — a line of JSON is asked of a view, by a sidecar and a gateway.
 *
 * The first line is the question, what follows is configuration on top of a
 * small mesh. Whatever both say: a question is read, or refused in words; what
 * is read is answered; the answer can be said as JSON, and twice the same.
 */
#include "codec/codec.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_TRIED = 8192, DOCS_MAX = 32, ARENA_MAX = 64 << 20 };

static const char mesh[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    "spec: {ports: [{name: http, port: 80}, {name: tcp, port: 70}]}\n---\n"
    "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
    "metadata: {name: gw}\nspec:\n  selector: {istio: gw}\n  servers:\n"
    "  - {hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}\n"
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews}\nspec:\n  hosts: [reviews, a.b.com]\n"
    "  gateways: [mesh, gw]\n  http:\n"
    "  - match: [{uri: {prefix: /a}}, {headers: {x: {regex: 'y+'}}}]\n"
    "    route: [{destination: {host: reviews, port: {number: 80}}}]\n---\n";

struct made {
	struct arena arena;
	struct resource *items[DOCS_MAX];
	size_t count;
	struct view *view;
};

static void
read_all(struct made *m, struct slice text)
{
	const struct resource_source source = {
	    .parse_json = codec_json_parse, .created_ms = 1};
	struct codec_documents docs;
	struct faults faults = {0};

	(void)codec_yaml_parse(text, NULL, &m->arena, &docs,
	    &faults); /* those that are right are there */
	for (size_t i = 0; i < docs.count && m->count < DOCS_MAX; i++) {
		struct findings found = {0};
		struct resource *r = NULL;

		if (docs.items[i].root != NULL &&
		    resource_decode(docs.items[i].root, &source, &r, &found) ==
			OK &&
		    r != NULL)
			m->items[m->count++] = r;
		findings_fini(&found);
	}
	faults_fini(&faults);
}

static void
answer(struct made *m, const struct explain_question *q, struct buf *out)
{
	struct view_input in = {
	    .resources = (const struct resource *const *)m->items,
	    .resource_count = m->count};
	const struct value *told;

	explain_view_input(&q->place, &in);
	view_unref(&m->view);
	CHECK(view_compile(&in, &m->view, NULL) == OK);
	told = model_answer(m->view, q, &m->arena);
	CHECK(told != NULL);
	buf_reset(out);
	CHECK(codec_json_emit(told, out) == OK);
}

static void
ask(struct made *m, struct slice line)
{
	AUTO(buf_fini) struct buf one = BUF(ARENA_MAX);
	AUTO(buf_fini) struct buf two = BUF(ARENA_MAX);
	const struct value *v;
	struct explain_question q;
	struct fault why = {0};

	if (codec_json_parse(line, &m->arena, &v, NULL) != OK)
		return;
	if (explain_read(v, &m->arena, &q, &why) != OK) {
		CHECK(why.text[0] != '\0');
		return;
	}
	q.place.proxy = VIEW_SIDECAR;
	answer(m, &q, &one);
	answer(m, &q, &two);
	CHECK(slice_eq(buf_slice(&one), buf_slice(&two)));
	q.place.proxy = VIEW_ROUTER;
	answer(m, &q, &two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct made m = {.count = 0};
	struct slice rest = slice_of(data, size);
	struct slice line = slice_split(&rest, '\n');

	if (size > SIZE_MAX_TRIED)
		return 0;
	arena_init(&m.arena, ARENA_MAX);
	read_all(&m, slice_str(mesh));
	read_all(&m, rest);
	ask(&m, line);
	view_unref(&m.view);
	for (size_t i = 0; i < m.count; i++)
		resource_unref(&m.items[i]);
	arena_fini(&m.arena);
	return 0;
}
