// SPDX-License-Identifier: Apache-2.0
/* What libpam would do with every combination of answers, without trying each: at any line only the verdict
 * so far counts (nothing, success, another positive code, failure), and what it was when each substack
 * around was entered (for "reset"). So the states at a line are few, lines are only ever passed forwards, and
 * one pass decides exactly. Rules: _pam_dispatch_aux() in libpam/pam_dispatch.c.
 *
 * To look for words ("is common-auth included?") was rejected: gdm-smartcard includes it, and jumps over it.
 */
#include "pam_ways.h"

#include <stdio.h>
#include <string.h>

#define STATES_MAX 64u

enum impression {
	UNDECIDED,
	POSITIVE, /* and the code so far is PAM_SUCCESS */
	POSITIVE_OTHER,
	NEGATIVE,
};
#define BITS 2u

/* The impression of now in the lowest bits, then the one at the beginning of each level. */
typedef uint64_t state_t;

static state_t impression_at(state_t state, unsigned slot)
{
	return state >> (slot * BITS) & 3u;
}

static state_t with_impression(state_t state, unsigned slot, state_t impression)
{
	return (state & ~((state_t)3 << (slot * BITS))) | impression << (slot * BITS);
}

struct states {
	unsigned count;
	state_t states[STATES_MAX];
};

struct walk {
	const struct skm_pam_stack *stack;
	const uint32_t *codes;			 /* what each line may return */
	struct states at[SKM_PAM_LINES_MAX + 1]; /* the last one: behind the stack */
};

static int reach(struct walk *walk, unsigned line, state_t state)
{
	struct states *states = &walk->at[line];
	for (unsigned i = 0; i < states->count; i++) {
		if (states->states[i] == state)
			return 0;
	}
	if (states->count == STATES_MAX)
		return -E2BIG;
	states->states[states->count++] = state;
	return 0;
}

/* The first line behind the rest of this level. */
static unsigned end_of_level(const struct skm_pam_stack *stack, unsigned line)
{
	unsigned level = stack->lines[line].level;
	do
		line++;
	while (line < stack->count && stack->lines[line].level >= level);
	return line;
}

/* The line behind `jump` more of the same level; false when the level has not so many. */
static bool jump_from(const struct skm_pam_stack *stack, unsigned line, int jump, unsigned *ret_line)
{
	unsigned level = stack->lines[line].level;
	for (line++; jump > 0; jump--) {
		if (line >= stack->count || stack->lines[line].level < level)
			return false;
		do
			line++;
		while (line < stack->count && stack->lines[line].level > level);
	}
	*ret_line = line;
	return true;
}

static int step(struct walk *walk, unsigned line, state_t state, int code)
{
	const struct skm_pam_line *entry = &walk->stack->lines[line];
	int action = entry->actions[code];
	state_t impression = impression_at(state, 0);
	unsigned next = line + 1;
	bool is_decided = false;
	switch (action) {
	case SKM_PAM_ACTION_RESET:
		impression = impression_at(state, entry->level + 1);
		break;
	case SKM_PAM_ACTION_OK:
	case SKM_PAM_ACTION_DONE:
		if (impression == UNDECIDED || impression == POSITIVE)
			impression = code == SKM_PAM_SUCCESS ? POSITIVE : POSITIVE_OTHER;
		is_decided = action == SKM_PAM_ACTION_DONE && impression != NEGATIVE;
		break;
	case SKM_PAM_ACTION_BAD:
	case SKM_PAM_ACTION_DIE:
		impression = NEGATIVE;
		is_decided = action == SKM_PAM_ACTION_DIE;
		break;
	default: /* IGNORE, which is a jump over nothing, and jumps */
		if (!jump_from(walk->stack, line, action, &next)) {
			impression = NEGATIVE;
			next = end_of_level(walk->stack, line);
		}
	}
	if (is_decided)
		next = end_of_level(walk->stack, line);
	return reach(walk, next, with_impression(state, 0, impression));
}

static int walk_line(struct walk *walk, unsigned line)
{
	const struct skm_pam_line *entry = &walk->stack->lines[line];
	for (unsigned i = 0; i < walk->at[line].count; i++) {
		state_t state = walk->at[line].states[i];
		int r = 0;
		if (entry->kind == SKM_PAM_SUBSTACK)
			r = reach(walk, line + 1,
				with_impression(state, entry->level + 2, impression_at(state, 0)));
		for (int code = 0; entry->kind != SKM_PAM_SUBSTACK && r == 0 && code < SKM_PAM_CODE_COUNT;
			code++) {
			if (walk->codes[line] >> code & 1)
				r = step(walk, line, state, code);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Can the stack end in success? 1, 0, -E2BIG. */
static int can_succeed(struct walk *walk)
{
	for (unsigned line = 0; line <= walk->stack->count; line++)
		walk->at[line].count = 0;
	int r = reach(walk, 0, 0);
	for (unsigned line = 0; r == 0 && line < walk->stack->count; line++)
		r = walk_line(walk, line);
	if (r < 0)
		return r;
	const struct states *end = &walk->at[walk->stack->count];
	for (unsigned i = 0; i < end->count; i++) {
		if (impression_at(end->states[i], 0) == POSITIVE)
			return 1;
	}
	return 0;
}

/* ---- what modules are ---- */

enum class {
	PROOF,	   /* asks for something that proves who it is; also what nobody here knows */
	CONDITION, /* judges by what is known already */
	INERT,	   /* does something on the way */
	FIXED,	   /* has no choice */
};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static enum class classify(const struct skm_pam_line *line) {
	static const char *const fixed[] = {"pam_deny.so", "pam_permit.so", "pam_rootok.so",
		SKM_PAM_OUR_MODULE};
	static const char *const conditions[] = {"pam_access.so", "pam_group.so", "pam_listfile.so",
		"pam_localuser.so", "pam_rhosts.so", "pam_securetty.so", "pam_shells.so", "pam_succeed_if.so",
		"pam_time.so", "pam_usertype.so", "pam_wheel.so"};
	static const char *const inert[] = {"pam_cap.so", "pam_echo.so", "pam_env.so", "pam_faildelay.so",
		"pam_faillock.so", "pam_gdm.so", "pam_gnome_keyring.so", "pam_issue.so", "pam_keyinit.so",
		"pam_kwallet.so", "pam_kwallet5.so", "pam_lastlog.so", "pam_limits.so", "pam_loginuid.so",
		"pam_mail.so", "pam_mkhomedir.so", "pam_motd.so", "pam_nologin.so", "pam_selinux.so",
		"pam_sepermit.so", "pam_systemd.so", "pam_tally2.so", "pam_tty_audit.so", "pam_umask.so",
		"pam_warn.so"};
	const char *name = skm_pam_module_name(line->path);
	if (line->kind != SKM_PAM_MODULE || is_one_of(name, fixed, SKM_ARRAY_SIZE(fixed))) return FIXED;
	if (is_one_of(name, inert, SKM_ARRAY_SIZE(inert))) return INERT;
	if (!is_one_of(name, conditions, SKM_ARRAY_SIZE(conditions))) return PROOF;
	/* A condition opens nothing when the stack goes on to the next line after it. */
	int action = line->actions[SKM_PAM_SUCCESS];
	return action == SKM_PAM_ACTION_DONE || action > 0 ? CONDITION : INERT;
}

/* Every code but those by which a module lets somebody pass. */
#define REFUSALS                                                                      \
	(~(UINT32_C(1) << SKM_PAM_SUCCESS | UINT32_C(1) << SKM_PAM_NEW_AUTHTOK_REQD | \
		UINT32_C(1) << SKM_PAM_IGNORE))

/* What our module returns when it refuses: pam_module/module/outcome.c, what a conversation that fails comes
 * to, and libpam for a missing file. Not PAM_INCOMPLETE, which libpam hands up whatever the line says. */
#define OUR_REFUSALS                                                           \
	(UINT32_C(1) << SKM_PAM_AUTH_ERR | UINT32_C(1) << SKM_PAM_SYSTEM_ERR | \
		UINT32_C(1) << SKM_PAM_CONV_ERR | UINT32_C(1) << SKM_PAM_MODULE_UNKNOWN)

static uint32_t codes_of(const struct skm_pam_line *line, bool is_installed)
{
	const char *name = skm_pam_module_name(line->path);
	if (line->kind == SKM_PAM_BROKEN)
		return UINT32_C(1) << SKM_PAM_PERM_DENIED;
	if (strcmp(name, SKM_PAM_OUR_MODULE) == 0)
		return OUR_REFUSALS;
	if (!is_installed)
		return UINT32_C(1) << SKM_PAM_MODULE_UNKNOWN;
	if (strcmp(name, "pam_deny.so") == 0 || strcmp(name, "pam_rootok.so") == 0)
		return UINT32_C(1) << SKM_PAM_AUTH_ERR;
	if (strcmp(name, "pam_permit.so") == 0)
		return UINT32_C(1) << SKM_PAM_SUCCESS;
	return UINT32_MAX;
}

/* ---- naming the ways ---- */

struct judge {
	struct skm_pam_stack stack;
	enum class classes[SKM_PAM_LINES_MAX];
	bool is_installed[SKM_PAM_LINES_MAX];
	uint32_t codes[SKM_PAM_LINES_MAX];  /* of the walk */
	uint32_t before[SKM_PAM_LINES_MAX]; /* while a way is made smaller */
	struct walk walk;
	struct skm_pam_judgement judgement;
};

/* Takes the choice from every module of the class that the way does not need. 0 or -E2BIG. */
static int leave_out(struct judge *judge, enum class class)
{
	for (unsigned i = 0; i < judge->stack.count; i++) {
		uint32_t codes = judge->codes[i];
		if (judge->classes[i] != class || (codes & ~REFUSALS) == 0)
			continue;
		judge->codes[i] = codes & REFUSALS ? codes & REFUSALS : codes;
		int r = can_succeed(&judge->walk);
		if (r < 0)
			return r;
		if (r == 0)
			judge->codes[i] = codes;
	}
	return 0;
}

static void name_opener(struct skm_pam_way *way, const struct skm_pam_line *line, bool with_arguments)
{
	char text[SKM_PAM_OPENER_BYTES + 1];
	(void)snprintf(text, sizeof(text), "%s%s%s", skm_pam_module_name(line->path),
		with_arguments && *line->arguments ? " " : "", with_arguments ? line->arguments : "");
	for (unsigned i = 0; i < way->count; i++) {
		if (strcmp(way->openers[i], text) == 0)
			return;
	}
	if (way->count < SKM_PAM_OPENERS_MAX)
		(void)snprintf(way->openers[way->count++], SKM_PAM_OPENER_BYTES, "%.*s",
			(int)SKM_PAM_OPENER_BYTES - 1, text);
}

/* Is the line one that the way needs? */
static bool is_needed(const struct judge *judge, unsigned line, enum class class)
{
	return judge->classes[line] == class && (judge->codes[line] & ~REFUSALS) != 0 &&
	       judge->is_installed[line];
}

/* Writes down the way that is left, and closes it for the next search. False when it needs nobody. */
static bool take_way(struct judge *judge)
{
	struct skm_pam_judgement *judgement = &judge->judgement;
	struct skm_pam_way *way = &judgement->ways[judgement->way_count];
	*way = (struct skm_pam_way){0};
	enum class class = PROOF;
	unsigned closed = judge->stack.count;
	for (int round = 0; round < 2 && way->count == 0; round++) {
		class = round ? CONDITION : PROOF;
		for (unsigned i = 0; i < judge->stack.count; i++) {
			if (!is_needed(judge, i, class))
				continue;
			name_opener(way, &judge->stack.lines[i], class == CONDITION);
			closed = i;
		}
	}
	memcpy(judge->codes, judge->before, sizeof(judge->codes));
	bool is_known = false;
	for (unsigned i = 0; i < judgement->way_count; i++)
		is_known = is_known || memcmp(&judgement->ways[i], way, sizeof(*way)) == 0;
	judgement->way_count += !is_known;
	if (closed == judge->stack.count)
		return false;
	judge->codes[closed] &= REFUSALS;
	return true;
}

/* A way that nothing is asked on: pam_permit is what opens it, where there is one. */
static void name_permit(struct judge *judge)
{
	struct skm_pam_way *way = &judge->judgement.ways[judge->judgement.way_count - 1];
	for (unsigned i = 0; i < judge->stack.count; i++) {
		const struct skm_pam_line *line = &judge->stack.lines[i];
		if (way->count == 0 && strcmp(skm_pam_module_name(line->path), "pam_permit.so") == 0)
			name_opener(way, line, false);
	}
}

static int find_ways(struct judge *judge)
{
	int r = 1;
	while (judge->judgement.way_count < SKM_PAM_WAYS_MAX && (r = can_succeed(&judge->walk)) > 0) {
		memcpy(judge->before, judge->codes, sizeof(judge->before));
		r = leave_out(judge, PROOF);
		if (r == 0)
			r = leave_out(judge, CONDITION);
		if (r < 0)
			return r;
		if (!take_way(judge)) {
			name_permit(judge);
			break;
		}
	}
	return r < 0 ? r : 0;
}

static void prepare(struct judge *judge, const struct skm_pam_files *files, bool all_installed)
{
	judge->walk.stack = &judge->stack;
	judge->walk.codes = judge->codes;
	for (unsigned i = 0; i < judge->stack.count; i++) {
		const struct skm_pam_line *line = &judge->stack.lines[i];
		judge->classes[i] = classify(line);
		judge->is_installed[i] = line->kind == SKM_PAM_MODULE &&
					 (all_installed || files->is_installed(files->user, line->path));
		judge->codes[i] = codes_of(line, judge->is_installed[i]);
		if (strcmp(skm_pam_module_name(line->path), SKM_PAM_OUR_MODULE) == 0)
			judge->judgement.has_ours = true;
	}
}

static int judge_stack(struct judge *judge, const struct skm_pam_files *files)
{
	if (judge->stack.is_broken)
		return 0;
	if (judge->stack.count == 0) {
		judge->judgement.verdict = SKM_PAM_INHERITED;
		return 0;
	}
	prepare(judge, files, false);
	int r = find_ways(judge);
	if (r < 0)
		return r;
	if (judge->judgement.way_count > 0) {
		judge->judgement.verdict = SKM_PAM_OPEN;
		return 0;
	}
	prepare(judge, files, true);
	r = find_ways(judge);
	judge->judgement.verdict = judge->judgement.way_count ? SKM_PAM_OPEN_IF_INSTALLED : SKM_PAM_GUARDED;
	return r;
}

int skm_pam_judge(
	const struct skm_pam_files *files, const char *service, struct skm_pam_judgement *ret_judgement)
{
	SKM_CLEANUP(skm_free) struct judge *judge = calloc(1, sizeof(*judge));
	if (!judge)
		return -ENOMEM;
	int r = skm_pam_stack_read(files, service, &judge->stack);
	if (r == 0)
		r = judge_stack(judge, files);
	if (r == 0)
		*ret_judgement = judge->judgement;
	return r;
}
