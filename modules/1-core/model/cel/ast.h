/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast — an expression as a tree.
 */
#ifndef MESHD_CEL_AST_H
#define MESHD_CEL_AST_H

#include "cel.h"

enum cel_node_type {
	CEL_NODE_LITERAL,
	CEL_NODE_NAME,   /* `name` */
	CEL_NODE_MEMBER, /* child.name */
	CEL_NODE_HAS,    /* has(child.name) */
	CEL_NODE_INDEX,  /* child[child] */
	CEL_NODE_CALL, /* name(children), or the first child is the receiver */
	CEL_NODE_LIST,
	CEL_NODE_MAP,    /* children: key, value, … */
	CEL_NODE_STRUCT, /* name{...}: a message, of which there are none */
	CEL_NODE_NOT,
	CEL_NODE_NEGATE,
	CEL_NODE_BINARY, /* `op` */
	CEL_NODE_AND,    /* two or more children */
	CEL_NODE_OR,
	CEL_NODE_CHOOSE, /* child ? child : child */
	CEL_NODE_MACRO   /* child.op(name, children) */
};

enum cel_op {
	CEL_OP_LESS,
	CEL_OP_LESS_EQUAL,
	CEL_OP_GREATER,
	CEL_OP_GREATER_EQUAL,
	CEL_OP_EQUAL,
	CEL_OP_NOT_EQUAL,
	CEL_OP_IN,
	CEL_OP_ADD,
	CEL_OP_SUBTRACT,
	CEL_OP_MULTIPLY,
	CEL_OP_DIVIDE,
	CEL_OP_MODULO,
	CEL_OP_ALL,
	CEL_OP_EXISTS,
	CEL_OP_EXISTS_ONE,
	CEL_OP_MAP,
	CEL_OP_FILTER
};

struct cel_node {
	enum cel_node_type type;
	enum cel_op op;
	bool receiver;  /* CEL_NODE_CALL: the first child is one */
	bool absolute;  /* CEL_NODE_NAME: ".name" is no variable */
	uint32_t at;    /* the byte where it begins */
	uint32_t depth; /* of the tree below it */
	uint32_t count; /* children */
	struct slice name;
	struct cel_value literal;
	struct regex *regex; /* CEL_NODE_CALL of matches() with a literal */
	struct cel_node *child, *last, *next;
};

struct cel {
	struct arena arena; /* the text and the tree; drops the regexes */
	const struct cel_node *root;
};

#endif
