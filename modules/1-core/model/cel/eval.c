/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eval — the value of an expression.
 *
 * As deep as the tree, which CEL_DEPTH_MAX bounds; as long as CEL_STEPS_MAX
 * allows, whatever the macros iterate over.
 */
#include "value.h"

enum { ARGS_MAX = 2 };

/* What a macro binds, on the stack of who evaluates it. */
struct cel_variable {
	struct slice name;
	struct cel_value value;
	const struct cel_variable *outer;
};

static struct cel_value eval(struct cel_run *run, const struct cel_node *n);

/* --- names ---------------------------------------------------------------- */

/* "int" is the type's name, for type(x) == int. */
static bool
find_type(struct slice name, struct cel_value *out)
{
	static const enum cel_type types[] = {CEL_NULL, CEL_BOOL, CEL_INT,
	    CEL_UINT, CEL_DOUBLE, CEL_STRING, CEL_BYTES, CEL_LIST, CEL_MAP,
	    CEL_TYPE};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!slice_eq(name, slice_str(cel_type_name(types[i]))))
			continue;
		*out = cel_text(CEL_TYPE, name);
		return true;
	}
	return false;
}

static struct cel_value
name(struct cel_run *run, const struct cel_node *n)
{
	const struct cel_variable *v = n->absolute ? NULL : run->variables;
	struct cel_value out;

	for (; v != NULL; v = v->outer)
		if (slice_eq(v->name, n->name))
			return v->value;
	if (run->scope->member(
		run->scope->arg, NULL, n->name, run->arena, &out) ||
	    find_type(n->name, &out))
		return out;
	return cel_error("no such attribute");
}

static struct cel_value
member(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value of = eval(run, n->child);
	struct cel_value key = cel_text(CEL_STRING, n->name), out;

	if (of.type == CEL_ERROR)
		return of;
	if (n->type == CEL_NODE_MEMBER)
		return of.type == CEL_LIST ? cel_no_overload()
					   : cel_item(run, &of, &key);
	if (of.type != CEL_MAP && of.type != CEL_OBJECT)
		return cel_no_overload();
	return cel_bool(cel_find(run, &of, &key, &out));
}

static struct cel_value
item(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value of = eval(run, n->child), key;

	if (of.type == CEL_ERROR)
		return of;
	key = eval(run, n->last);
	return key.type == CEL_ERROR ? key : cel_item(run, &of, &key);
}

/* --- lists and maps ------------------------------------------------------- */

/* The values of all children; an error if one of them is. */
static struct cel_value
children(struct cel_run *run, const struct cel_node *n, enum cel_type type)
{
	struct cel_value out = {.type = type};
	struct cel_value *items =
	    arena_alloc_array(run->arena, n->count, sizeof(*items));
	size_t i = 0;

	if (items == NULL)
		return cel_over(run);
	for (const struct cel_node *c = n->child; c != NULL; c = c->next) {
		items[i] = eval(run, c);
		if (items[i++].type == CEL_ERROR)
			return items[i - 1];
	}
	out.list.items = items;
	out.list.count = type == CEL_MAP ? n->count / 2 : n->count;
	return out;
}

static bool
is_key(const struct cel_value *v)
{
	return v->type == CEL_BOOL || v->type == CEL_INT ||
	       v->type == CEL_UINT || v->type == CEL_STRING;
}

static struct cel_value
map(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value v = children(run, n, CEL_MAP), found, before = v;

	if (v.type == CEL_ERROR)
		return v;
	for (size_t i = 0; i < v.list.count; i++) {
		before.list.count = i;
		if (!is_key(&v.list.items[2 * i]))
			return cel_error("the key of a map is a string, a "
					 "whole number or a bool");
		if (cel_find(run, &before, &v.list.items[2 * i], &found))
			return cel_error("a map has a key twice");
	}
	return v;
}

/* --- logic ---------------------------------------------------------------- */

/*
 * One side that decides is enough, on whichever side it stands and whatever
 * the others say: false && error is false, true || error is true.
 */
static struct cel_value
logic(struct cel_run *run, const struct cel_node *n)
{
	bool decides = n->type == CEL_NODE_OR;
	struct cel_value out = cel_bool(!decides);

	for (const struct cel_node *c = n->child; c != NULL; c = c->next) {
		struct cel_value v = eval(run, c);

		if (run->over)
			return v;
		if (v.type == CEL_BOOL && v.boolean == decides)
			return v;
		if (v.type != CEL_BOOL && out.type != CEL_ERROR)
			out = v.type == CEL_ERROR ? v : cel_no_overload();
	}
	return out;
}

static struct cel_value not(struct cel_run * run, const struct cel_node *n)
{
	struct cel_value v = eval(run, n->child);

	if (v.type == CEL_ERROR)
		return v;
	return v.type == CEL_BOOL ? cel_bool(!v.boolean) : cel_no_overload();
}

static struct cel_value
choose(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value v = eval(run, n->child);

	if (v.type == CEL_ERROR)
		return v;
	if (v.type != CEL_BOOL)
		return cel_no_overload();
	return eval(run, v.boolean ? n->child->next : n->last);
}

/* --- operators and calls -------------------------------------------------- */

static struct cel_value
negate(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value v = eval(run, n->child);

	return v.type == CEL_ERROR ? v : cel_negate(&v);
}

static struct cel_value
binary(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value a = eval(run, n->child), b;

	if (a.type == CEL_ERROR)
		return a;
	b = eval(run, n->last);
	return b.type == CEL_ERROR ? b : cel_binary(run, n->op, &a, &b);
}

static struct cel_value
call(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value args[ARGS_MAX] = {0};
	size_t count = 0;

	for (const struct cel_node *c = n->child; c != NULL; c = c->next) {
		struct cel_value v = eval(run, c);

		if (v.type == CEL_ERROR)
			return v;
		if (count < ARGS_MAX)
			args[count++] = v;
	}
	return cel_call(run, n, args);
}

/* --- macros --------------------------------------------------------------- */

/* What a macro has come to so far. */
struct fold {
	struct cel_value out; /* an error if an item gave one */
	struct cel_value *items;
	size_t count;
	bool done;
};

/* all, exists: as a chain of && or ||. */
static void
fold_logic(struct fold *f, const struct cel_value *v, bool decides)
{
	if (v->type == CEL_BOOL && v->boolean == decides) {
		f->out = *v;
		f->done = true;
	} else if (v->type != CEL_BOOL && f->out.type != CEL_ERROR)
		f->out = v->type == CEL_ERROR ? *v : cel_no_overload();
}

/* Anything but a bool ends the macro: an error has to be one for good. */
static bool
fold_test(struct fold *f, const struct cel_value *v)
{
	if (v->type == CEL_BOOL)
		return v->boolean;
	f->out = v->type == CEL_ERROR ? *v : cel_no_overload();
	f->done = true;
	return false;
}

static void
fold_map(struct cel_run *run, struct fold *f, const struct cel_node *n,
    const struct cel_value *v)
{
	struct cel_value made;

	/* x.map(i, test, value): only where the test holds. */
	if (n->count == 3 && !fold_test(f, v))
		return;
	made = n->count == 3 ? eval(run, n->last) : *v;
	if (made.type == CEL_ERROR) {
		f->out = made;
		f->done = true;
	} else
		f->items[f->count++] = made;
}

static void
fold_item(struct cel_run *run, struct fold *f, const struct cel_node *n,
    const struct cel_value *item)
{
	struct cel_value v = eval(run, n->child->next);

	switch (n->op) {
	case CEL_OP_ALL:
		fold_logic(f, &v, /* decides */ false);
		break;
	case CEL_OP_EXISTS:
		fold_logic(f, &v, /* decides */ true);
		break;
	case CEL_OP_EXISTS_ONE:
		f->count += fold_test(f, &v);
		break;
	case CEL_OP_FILTER:
		if (fold_test(f, &v))
			f->items[f->count++] = *item;
		break;
	case CEL_OP_MAP:
		fold_map(run, f, n, &v);
		break;
	default:
		break; /* no macro's */
	}
}

static struct cel_value
fold_end(struct fold *f, const struct cel_node *n)
{
	struct cel_value list = {.type = CEL_LIST};

	if (f->out.type == CEL_ERROR || n->op == CEL_OP_ALL ||
	    n->op == CEL_OP_EXISTS)
		return f->out;
	if (n->op == CEL_OP_EXISTS_ONE)
		return cel_bool(f->count == 1);
	list.list.items = f->items;
	list.list.count = f->count;
	return list;
}

/* Over the items of a list, or the keys of a map. */
static struct cel_value
macro(struct cel_run *run, const struct cel_node *n)
{
	struct cel_value over = eval(run, n->child);
	size_t stride = over.type == CEL_MAP ? 2 : 1;
	struct cel_variable variable = {n->name, {0}, run->variables};
	struct fold f = {.out = cel_bool(n->op == CEL_OP_ALL)};

	if (over.type == CEL_ERROR)
		return over;
	if (over.type != CEL_LIST && over.type != CEL_MAP)
		return cel_error("this cannot be iterated over");
	if (n->op == CEL_OP_MAP || n->op == CEL_OP_FILTER) {
		f.items = arena_alloc_array(
		    run->arena, over.list.count, sizeof(*f.items));
		if (f.items == NULL)
			return cel_over(run);
	}
	run->variables = &variable;
	for (size_t i = 0; i < over.list.count && !f.done && !run->over; i++) {
		variable.value = over.list.items[i * stride];
		fold_item(run, &f, n, &variable.value);
	}
	run->variables = variable.outer;
	return run->over ? cel_over(run) : fold_end(&f, n);
}

/* --- all of it ------------------------------------------------------------ */

static struct cel_value
eval(struct cel_run *run, const struct cel_node *n)
{
	if (!cel_spend(run, 0))
		return cel_over(run);
	switch (n->type) {
	case CEL_NODE_LITERAL:
		return n->literal;
	case CEL_NODE_NAME:
		return name(run, n);
	case CEL_NODE_MEMBER:
	case CEL_NODE_HAS:
		return member(run, n);
	case CEL_NODE_INDEX:
		return item(run, n);
	case CEL_NODE_CALL:
		return call(run, n);
	case CEL_NODE_LIST:
		return children(run, n, CEL_LIST);
	case CEL_NODE_MAP:
		return map(run, n);
	case CEL_NODE_STRUCT:
		return cel_error("there are no messages to make");
	case CEL_NODE_NOT:
		return not(run, n);
	case CEL_NODE_NEGATE:
		return negate(run, n);
	case CEL_NODE_BINARY:
		return binary(run, n);
	case CEL_NODE_AND:
	case CEL_NODE_OR:
		return logic(run, n);
	case CEL_NODE_CHOOSE:
		return choose(run, n);
	case CEL_NODE_MACRO:
		return macro(run, n);
	}
	return cel_no_overload();
}

enum err
cel_eval(const struct cel *c, const struct cel_scope *scope,
    struct arena *arena, struct cel_value *out, struct fault *why)
{
	struct cel_run run = {.scope = scope, .arena = arena};
	struct cel_value v = eval(&run, c->root);

	if (run.over || v.type == CEL_ERROR)
		return fault_set(why, run.over ? ERR_LIMIT : ERR_INVALID,
		    "%.*s", SLICE_ARG(run.over ? cel_over(&run).text : v.text));
	*out = v;
	return OK;
}
