// SPDX-License-Identifier: Apache-2.0
/* The line of one record. Every member is always there and in the same place (null = not known), so that a
 * column of a table means the same in every line; only what cannot exist is left out: the device of an event
 * without one, the person of an event that is about nobody's second factor, a count of nothing. What a device
 * or a caller of the login says is hostile input: each text has a budget of bytes after escaping, and the
 * budgets together with the longest fixed part fit the line, so that nothing they say can push a later member
 * out. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "sekimori/json.h"
#include "sekimori/record.h"

#define OCSF_VERSION "1.7.0" /* the first with class 1010 and these activities: schema.ocsf.io/1.7.0 */
#define CLASS_EVENT_LOG 1008
#define CLASS_PERIPHERAL 1010
#define CLASS_AUTHENTICATION 3002
#define CATEGORY_DIVISOR 1000 /* class_uid is category_uid * 1000 + the number in the category */
#define NSEC_PER_USEC 1000

/* Bytes after escaping. A name that is plain fits whole; what is escaped ("\u0001": six for one) may be cut.
 */
enum {
	TERMINAL_MAX = 96,
	SECTION_MAX = 192,
	USER_MAX = 128,
	RULE_MAX = 64,
	REASON_MAX = 384,
	VERSION_MAX = 16,
	NAME_MAX_ = 128,
	STRING_MAX = 384,
	SERIAL_MAX = 126 * 6, /* the longest that USB knows, each unit escaped: the serial number is what
				 tells two apart */
	PORT_MAX = 64,
	SUBJECT_MAX = 128 * 6, /* whole, whatever it is made of: it says whose record this is */
	SERVICE_MAX = 192,
	TTY_MAX = 192,
	HOST_MAX = 384,
	RUSER_MAX = 384,
	TOKEN_MAX = 192,
	OBJECT_MAX = 384,
	DETAIL_MAX = 768,
	STREAM_MAX = 16,
	BOOT_ID_MAX = 32,
	HASH_MAX = 64,
	MAC_MAX = 32,
	CHAIN_ID_MAX = 32,
	CHECKPOINT_REASON_MAX = 15,
	CHECKPOINT_MAX = 3 * 64 + 128 + CHECKPOINT_REASON_MAX + 100,
};
/* {"id":"255:255","class":"ff:ff:ff","kind":"content-security","allowed":false}, */
#define INTERFACE_MAX 96
/* All that is neither of the above nor an interface: member names, numbers, words. */
#define FIXED_MAX 1600
#define CODES_MAX 4 /* bytes of a pair of USB numbers */
/* What follows the list of interfaces. */
#define TAIL_MAX                                                                                         \
	(OBJECT_MAX + DETAIL_MAX + CHECKPOINT_MAX + STREAM_MAX + CHAIN_ID_MAX + BOOT_ID_MAX + HASH_MAX + \
		MAC_MAX + 352)

_Static_assert(FIXED_MAX + TERMINAL_MAX + SECTION_MAX + 3 * USER_MAX + 2 * RULE_MAX + REASON_MAX +
			       VERSION_MAX + NAME_MAX_ + 2 * STRING_MAX + SERIAL_MAX + PORT_MAX + TAIL_MAX +
			       8 * INTERFACE_MAX <=
		       SKM_RECORD_LINE_MAX,
	"the worst line has room for at least eight interfaces");
_Static_assert(FIXED_MAX + TERMINAL_MAX + SECTION_MAX + 3 * USER_MAX + 2 * RULE_MAX + REASON_MAX +
			       VERSION_MAX + SUBJECT_MAX + SERVICE_MAX + HOST_MAX + TTY_MAX + RUSER_MAX +
			       TOKEN_MAX + REASON_MAX + TAIL_MAX <=
		       SKM_RECORD_LINE_MAX,
	"the worst line about a person is whole");

/* OCSF's numbers for what happened: 1010 Connect 1, Disconnect 2; 1008 Start 6, Stop 7, Enable 9, Disable 10;
 * 3002 Logon 1; 99 Other. status_id: 1 Success, 2 Failure, 99 Other; of class 3002 alone. */
enum {
	LOGON = 1,
	OTHER = 99,
	STATUS_SUCCESS = 1,
	STATUS_FAILURE = 2,
	STATUS_OTHER = 99,
};
struct activity {
	uint16_t class_uid;
	uint8_t activity_id;
	uint8_t status_id;
};

static const struct activity activities[SKM_EVENT_COUNT_] = {
	[SKM_EVENT_DEVICE_ALLOWED] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_DEVICE_PARTIAL] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_EXPORT_DENIED] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_NETDEV_DENIED] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_DEVICE_OBSERVED] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_DEVICE_CHANGED] = {CLASS_PERIPHERAL, OTHER, 0},
	[SKM_EVENT_DEVICE_REMOVED] = {CLASS_PERIPHERAL, 2, 0},
	[SKM_EVENT_DEVICE_HUNG] = {CLASS_PERIPHERAL, OTHER, 0},
	[SKM_EVENT_DEVICE_ERROR] = {CLASS_PERIPHERAL, OTHER, 0},
	[SKM_EVENT_SYSTEM_DISK] = {CLASS_PERIPHERAL, 1, 0},
	[SKM_EVENT_CONTROLLER_CLOSED] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_CONTROLLER_OPEN] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_UEVENT_OVERFLOW] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_FLOOD_COUNTED] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_RESUMED] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_AGENT_START] = {CLASS_EVENT_LOG, 6, 0},
	[SKM_EVENT_AGENT_STOP] = {CLASS_EVENT_LOG, 7, 0},
	[SKM_EVENT_POLICY_CHANGED] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_CONFIG_BROKEN] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_AUDIT_MODE] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_FORWARD_CERTIFICATE] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_FORWARD_LOSS] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_LOG_FULL] = {CLASS_EVENT_LOG, 10, 0},
	[SKM_EVENT_LOG_RESUMED] = {CLASS_EVENT_LOG, 9, 0},
	[SKM_EVENT_LOG_RECOVERED] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_LOG_DELETED] = {CLASS_EVENT_LOG, 2, 0}, /* Delete */
	[SKM_EVENT_CHECKPOINT] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_CHAIN_BROKEN] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_AUTH_OK] = {CLASS_AUTHENTICATION, LOGON, STATUS_SUCCESS},
	[SKM_EVENT_AUTH_FAIL] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_AUTH_LOCKED] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_AUTH_REPLAY] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_AUTH_CLOCK] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_AUTH_ERROR] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_AUTH_DEGRADED] = {CLASS_AUTHENTICATION, OTHER, STATUS_OTHER},
	[SKM_EVENT_AUTH_DENIED] = {CLASS_AUTHENTICATION, LOGON, STATUS_FAILURE},
	[SKM_EVENT_SUBSTITUTE_ISSUED] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_SUBSTITUTE_USED] = {CLASS_AUTHENTICATION, LOGON, STATUS_SUCCESS},
	[SKM_EVENT_MFA_ENROLLED] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_DISABLED] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_UNLOCKED] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_RECOVERY] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_RESYNCED] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_LOGIN_ON] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_MFA_LOGIN_OFF] = {CLASS_AUTHENTICATION, OTHER, STATUS_SUCCESS},
	[SKM_EVENT_CLOCK_JUMP] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_COLLECTOR_START] = {CLASS_EVENT_LOG, 6, 0},
	[SKM_EVENT_COLLECTOR_STOP] = {CLASS_EVENT_LOG, 7, 0},
	[SKM_EVENT_COLLECTOR_ALARM] = {CLASS_EVENT_LOG, OTHER, 0},
	[SKM_EVENT_COLLECTOR_NOTICE] = {CLASS_EVENT_LOG, OTHER, 0},
};

/* OCSF action_id: 0 Unknown, 1 Allowed, 2 Denied, 3 Observed, 4 Modified; disposition_id: 1 Allowed, 2
 * Blocked, 15 Detected, 17 Logged, 27 Error. A device opened in part counts as blocked for who only looks at
 * dispositions. */
struct outcome_entry {
	const char *word;
	uint8_t action_id;
	uint8_t disposition_id;
};

static const struct outcome_entry outcomes[SKM_OUTCOME_COUNT_] = {
	[SKM_OUTCOME_BLOCKED] = {"blocked", 2, 2},
	[SKM_OUTCOME_ALLOWED] = {"allowed", 1, 1},
	[SKM_OUTCOME_PARTIAL] = {"partial", 4, 2},
	[SKM_OUTCOME_OBSERVED] = {"observed", 3, 15},
	[SKM_OUTCOME_LOGGED] = {"logged", 3, 17},
	[SKM_OUTCOME_ERROR] = {"error", 0, 27},
};

static const struct outcome_entry *lookup_outcome(enum skm_outcome outcome)
{
	return &outcomes[(unsigned)outcome < SKM_OUTCOME_COUNT_ ? outcome : SKM_OUTCOME_ERROR];
}

const char *skm_outcome_to_string(enum skm_outcome outcome)
{
	return lookup_outcome(outcome)->word;
}

void skm_record_init(struct skm_record *record, enum skm_event event)
{
	*record = (struct skm_record){
		.event = event,
		.outcome = SKM_OUTCOME_LOGGED,
		.stream = "agent",
		.user_uid = -1,
		.caller_uid = -1,
		.caller_pid = -1,
		.auth.subject_uid = -1,
	};
}

static bool is_about_person(const struct skm_record *record)
{
	return record->has_auth && !record->has_device;
}

static struct activity activity_of(const struct skm_record *record)
{
	struct activity activity = {CLASS_EVENT_LOG, 0, 0};
	if ((unsigned)record->event < SKM_EVENT_COUNT_)
		activity = activities[record->event];
	/* A count of what one device did carries that device. */
	if (record->event == SKM_EVENT_FLOOD_COUNTED && record->has_device)
		activity = (struct activity){CLASS_PERIPHERAL, OTHER, 0};
	if (is_about_person(record)) {
		if (activity.class_uid != CLASS_AUTHENTICATION)
			activity = (struct activity){CLASS_AUTHENTICATION, OTHER, STATUS_OTHER};
	} else if (activity.class_uid == CLASS_AUTHENTICATION) {
		/* About the service itself, as when it finds no key: OCSF's class demands a person. */
		activity = (struct activity){CLASS_EVENT_LOG, OTHER, 0};
	}
	/* What was not done is no success, whatever was tried. */
	if (activity.status_id == STATUS_SUCCESS &&
		(record->outcome == SKM_OUTCOME_BLOCKED || record->outcome == SKM_OUTCOME_ERROR))
		activity.status_id = STATUS_FAILURE;
	return activity;
}

static const char *class_name(uint16_t class_uid)
{
	switch (class_uid) {
	case CLASS_PERIPHERAL:
		return "Peripheral Activity";
	case CLASS_AUTHENTICATION:
		return "Authentication";
	default:
		return "Event Log Activity";
	}
}

/* Numbers beyond a signed 64-bit integer cannot be read back by most parsers. */
static void put_count(struct skm_json *json, const char *key, uint64_t value)
{
	skm_json_uint(json, key, value < (uint64_t)INT64_MAX ? value : (uint64_t)INT64_MAX);
}

static void put_text(struct skm_json *json, const char *key, const char *text, size_t max)
{
	(void)skm_json_string_limited(
		json, key, text[0] ? text : NULL, max); /* U+2026 at its end says that it was cut */
}

static void put_id(struct skm_json *json, const char *key, int64_t id)
{
	if (id < 0)
		skm_json_null(json, key);
	else
		skm_json_int(json, key, id);
}

static void put_head(struct skm_json *json, const struct skm_record *record)
{
	/* OCSF severity_id: 1 Informational, 2 Low, 3 Medium, 4 High. The word stays ours: it is what people
	 * filter by. */
	static const uint8_t severity_ids[SKM_SEVERITY_COUNT_] = {[SKM_SEVERITY_INFO] = 1,
		[SKM_SEVERITY_NOTICE] = 2,
		[SKM_SEVERITY_WARNING] = 3,
		[SKM_SEVERITY_ALERT] = 4};
	struct activity activity = activity_of(record);
	const struct outcome_entry *outcome = lookup_outcome(record->outcome);
	enum skm_severity severity = skm_event_severity(record->event);
	char time_text[SKM_RFC3339_BYTES];
	skm_timestamp_format(&record->time, time_text);
	int64_t usec = record->time.realtime_usec;

	skm_json_int(json, "time", usec / 1000 - (usec % 1000 < 0));
	skm_json_string(json, "time_dt", time_text);
	skm_json_uint(json, "class_uid", activity.class_uid);
	skm_json_string(json, "class_name", class_name(activity.class_uid));
	skm_json_uint(json, "category_uid", activity.class_uid / CATEGORY_DIVISOR);
	skm_json_uint(json, "activity_id", activity.activity_id);
	skm_json_uint(json, "type_uid", activity.class_uid * UINT64_C(100) + activity.activity_id);
	skm_json_uint(json, "severity_id", severity_ids[severity]);
	skm_json_string(json, "severity", skm_severity_to_string(severity));
	skm_json_string(json, "event", skm_event_to_string(record->event));
	skm_json_string(json, "message", skm_event_to_text(record->event, false));
	skm_json_uint(json, "action_id", outcome->action_id);
	skm_json_uint(json, "disposition_id", outcome->disposition_id);
	skm_json_string(json, "outcome", outcome->word);
	if (activity.class_uid == CLASS_AUTHENTICATION)
		skm_json_uint(json, "status_id", activity.status_id);
}

static void put_metadata(struct skm_json *json, const struct skm_record *record)
{
	skm_json_object_begin(json, "metadata");
	skm_json_literal(json,
		"\"version\":\"" OCSF_VERSION
		"\",\"product\":{\"name\":\"Sekimori\",\"vendor_name\":\"Sekimori\","
		"\"version\":\"" SKM_VERSION "\"},\"profiles\":[\"security_control\",\"datetime\"]");
	put_count(json, "sequence", record->sequence);
	skm_json_object_end(json);

	skm_json_object_begin(json, "terminal");
	put_text(json, "number", record->terminal_number, TERMINAL_MAX);
	put_text(json, "section", record->section, SECTION_MAX);
	skm_json_object_end(json);

	skm_json_object_begin(json, "clock");
	skm_json_bool(json, "synchronised", record->time.is_synchronised);
	skm_json_int(json, "offset_usec", record->time.offset_usec);
	put_count(json, "boottime_usec", record->time.boottime_usec);
	skm_json_object_end(json);
}

static void put_actor(struct skm_json *json, const struct skm_record *record)
{
	skm_json_object_begin(json, "actor");
	put_text(json, "user", record->user, USER_MAX);
	put_id(json, "uid", record->user_uid);
	put_text(json, "login_user", record->login_user, USER_MAX);
	put_text(json, "operator", record->operator_id, USER_MAX);
	put_id(json, "caller_uid", record->caller_uid);
	put_id(json, "caller_pid", record->caller_pid);
	skm_json_object_end(json);
}

static void put_policy(struct skm_json *json, const struct skm_record *record)
{
	const char *rule = record->rule;
	if (!rule[0] && record->has_device)
		rule = record->decision.rule[0] ? record->decision.rule : "builtin:unnamed";
	skm_json_object_begin(json, "policy");
	put_text(json, "rule", rule, RULE_MAX);
	put_text(json, "reason", record->has_device ? record->decision.reason : "", REASON_MAX);
	put_text(json, "allow_rule", record->has_device ? record->decision.allow_rule : "", RULE_MAX);
	put_text(json, "version", record->policy_version, VERSION_MAX);
	skm_json_object_end(json);
}

/* "08:06:50": the hex digits of `each` bytes, and of as many more. */
static void put_codes(struct skm_json *json, const char *key, size_t each, const uint8_t *bytes, size_t len)
{
	char text[3 * CODES_MAX + 1] = "";
	size_t at = 0;
	for (size_t i = 0; i < len && i < CODES_MAX; i++) {
		if (i > 0 && i % each == 0)
			text[at++] = ':';
		skm_hex_format(&bytes[i], 1, text + at);
		at += 2;
	}
	skm_json_string(json, key, text);
}

static char *put_decimal(char *at, uint8_t value)
{
	if (value >= 100)
		*at++ = (char)('0' + value / 100);
	if (value >= 10)
		*at++ = (char)('0' + value / 10 % 10);
	*at++ = (char)('0' + value % 10);
	return at;
}

/* "1:0". Not printf, which would be half of what an interface costs, and a device may have 256. */
static void put_interface_id(struct skm_json *json, const struct skm_usb_interface *interface)
{
	char text[sizeof("255:255")];
	char *at = put_decimal(text, interface->configuration);
	*at++ = ':';
	*put_decimal(at, interface->number) = '\0';
	skm_json_string(json, "id", text);
}

static void put_interfaces(struct skm_json *json, const struct skm_record *record)
{
	const struct skm_device *device = &record->device;
	size_t count = device->interface_count < SKM_USB_INTERFACES_MAX ? device->interface_count
									: SKM_USB_INTERFACES_MAX;
	size_t i = 0;

	skm_json_array_begin(json, "interfaces");
	for (; i < count && json->len + INTERFACE_MAX + TAIL_MAX <= SKM_RECORD_LINE_MAX; i++) {
		const struct skm_usb_interface *interface = &device->interfaces[i];
		skm_json_object_begin(json, NULL);
		put_interface_id(json, interface);
		put_codes(json, "class", 1,
			(const uint8_t[]){interface->class_code, interface->subclass, interface->protocol},
			3);
		skm_json_string(json, "kind", skm_device_kind_to_string(skm_usb_interface_kind(interface)));
		skm_json_bool(json, "allowed", record->decision.interface_allowed[i]);
		skm_json_object_end(json);
	}
	skm_json_array_end(json);
	skm_json_uint(json, "interfaces_omitted", count - i);
}

static void put_hex(struct skm_json *json, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * SKM_CHAIN_SIGNATURE_BYTES + 1] = "";
	if (len <= SKM_CHAIN_SIGNATURE_BYTES)
		skm_hex_format(bytes, len, text);
	skm_json_string(json, key, text);
}

static void put_device(struct skm_json *json, const struct skm_record *record)
{
	const struct skm_device *device = &record->device;
	const char *kind = skm_device_kind_to_string(record->decision.kind);

	skm_json_object_begin(json, "peripheral_device");
	/* OCSF requires a name; a device that gives none is called by what it is. */
	put_text(json, "name", device->product[0] ? device->product : kind, NAME_MAX_);
	put_text(json, "vendor_name", device->manufacturer, STRING_MAX);
	put_text(json, "model", device->product, STRING_MAX);
	skm_json_string(json, "kind", kind);
	put_codes(json, "vid_pid", 2,
		(const uint8_t[]){(uint8_t)(device->vendor_id >> 8), (uint8_t)device->vendor_id,
			(uint8_t)(device->product_id >> 8), (uint8_t)device->product_id},
		4);
	put_text(json, "serial_number", device->serial, SERIAL_MAX);
	put_hex(json, "descriptor_hash", device->descriptor_hash, sizeof(device->descriptor_hash));
	put_text(json, "port", device->port, PORT_MAX);
	skm_json_string(json, "connect_type", skm_connect_type_to_string(device->connect_type));
	skm_json_string(json, "descriptor_state", skm_descriptor_state_to_string(device->descriptor_state));
	skm_json_bool(json, "at_start", record->at_start);
	put_interfaces(json, record);
	skm_json_object_end(json);
}

/* OCSF auth_factor: factor_type_id 7 OTP (whether the code came from an app or from a piece of hardware
 * cannot be told), 99 Other with a text of ours. The word is authd's own; any other one is a bug there, and
 * nothing of it is written. */
static void put_factor(struct skm_json *json, const char *factor)
{
	static const struct {
		char word[16];
		uint8_t type_id;
		char type[16];
	} factors[] = {{"token", 7, "OTP"}, {"recovery", 99, "recovery code"},
		{"substitute", 99, "substitute code"}};
	uint8_t type_id = 0;
	const char *type = "Unknown";

	skm_json_array_begin(json, "auth_factors");
	if (factor[0]) {
		for (size_t i = 0; i < SKM_ARRAY_SIZE(factors); i++) {
			if (strcmp(factor, factors[i].word) == 0) {
				type_id = factors[i].type_id;
				type = factors[i].type;
			}
		}
		skm_json_object_begin(json, NULL);
		skm_json_uint(json, "factor_type_id", type_id);
		skm_json_string(json, "factor_type", type);
		skm_json_object_end(json);
	}
	skm_json_array_end(json);
}

/* OCSF's names where it has them, with its types: a uid is a string there. */
static void put_auth(struct skm_json *json, const struct skm_auth_facts *auth)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool is_ip = inet_pton(AF_INET, auth->rhost, address) == 1 ||
		     inet_pton(AF_INET6, auth->rhost, address) == 1;

	skm_json_object_begin(json, "user");
	put_text(json, "name", auth->subject, SUBJECT_MAX);
	if (auth->subject_uid < 0)
		skm_json_null(json, "uid");
	else
		skm_json_printf(json, "uid", "%" PRId64, auth->subject_uid);
	skm_json_object_end(json);
	skm_json_object_begin(json, "service");
	put_text(json, "name", auth->service, SERVICE_MAX);
	skm_json_object_end(json);
	skm_json_object_begin(json, "src_endpoint");
	put_text(json, "ip", is_ip ? auth->rhost : "", HOST_MAX);
	put_text(json, "hostname", is_ip ? "" : auth->rhost, HOST_MAX);
	skm_json_object_end(json);
	skm_json_bool(json, "is_mfa", true);
	put_factor(json, auth->factor);
	skm_json_object_begin(json, "auth");
	put_text(json, "tty", auth->tty, TTY_MAX);
	put_text(json, "ruser", auth->ruser, RUSER_MAX);
	put_text(json, "token", auth->token, TOKEN_MAX);
	put_text(json, "reason", auth->reason, REASON_MAX);
	skm_json_object_end(json);
}

static void put_checkpoint(struct skm_json *json, const struct skm_checkpoint *checkpoint)
{
	skm_json_object_begin(json, "checkpoint");
	put_hex(json, "h", checkpoint->previous_hash, sizeof(checkpoint->previous_hash));
	put_hex(json, "key", checkpoint->key, sizeof(checkpoint->key));
	put_hex(json, "next", checkpoint->next_key, sizeof(checkpoint->next_key));
	put_hex(json, "sig", checkpoint->signature, sizeof(checkpoint->signature));
	put_count(json, "lost", checkpoint->lost);
	put_text(json, "reason", checkpoint->reason, CHECKPOINT_REASON_MAX);
	skm_json_object_end(json);
}

static void put_chain(struct skm_json *json, const struct skm_record *record)
{
	uint64_t usec = record->time.monotonic_usec;
	skm_json_object_begin(json, "skm");
	put_text(json, "stream", record->stream ? record->stream : "", STREAM_MAX);
	put_text(json, "c", record->chain_id, CHAIN_ID_MAX);
	put_count(json, "n", record->sequence);
	put_text(json, "b", record->boot_id, BOOT_ID_MAX);
	if (record->boot_number > 0)
		put_count(json, "bn", record->boot_number);
	else
		skm_json_null(json, "bn");
	put_count(json, "mt", usec < UINT64_MAX / NSEC_PER_USEC ? usec * NSEC_PER_USEC : UINT64_MAX);
	put_text(json, "p", record->previous_hash, HASH_MAX);
	skm_json_object_end(json);
	put_text(json, "m", record->mac, MAC_MAX);
}

size_t skm_record_format(const struct skm_record *record, char ret_line[SKM_RECORD_LINE_MAX])
{
	struct skm_json json;
	skm_json_init(&json, ret_line, SKM_RECORD_LINE_MAX);
	skm_json_object_begin(&json, NULL);
	put_head(&json, record);
	put_metadata(&json, record);
	put_actor(&json, record);
	put_policy(&json, record);
	if (record->has_device)
		put_device(&json, record);
	if (is_about_person(record))
		put_auth(&json, &record->auth);
	put_text(&json, "object", record->object, OBJECT_MAX);
	put_text(&json, "detail", record->detail, DETAIL_MAX);
	if (record->count > 0)
		put_count(&json, "count", record->count);
	if (record->has_checkpoint)
		put_checkpoint(&json, &record->checkpoint);
	put_chain(&json, record);
	skm_json_object_end(&json);
	/* The NUL that the writer keeps room for makes place for the newline. */
	ret_line[json.len] = '\n';
	return json.len + 1;
}
