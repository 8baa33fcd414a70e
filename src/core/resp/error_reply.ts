/**
 * The catalogue of error replies: every text that a command, the session or
 * the protocol can answer with, and nothing else writes one.
 *
 * An error is a value. Fixed texts are constants built once, as the very
 * bytes that go out (`-ERR ...\r\n`), so that sending one is a copy; texts
 * with a part that varies are made by the functions. The first word is the
 * error's prefix, which clients act upon and `INFO errorstats` counts.
 *
 * - A text is what Redis 7.2 says, byte for byte.
 * - A text is Latin-1: one character is one byte of the reply, whatever
 *   encoding the client uses. Bytes of a client pass through unharmed.
 * - What a client sent is echoed as C's printf would: up to the first NUL,
 *   at most {@linkcode ECHO_BYTES_MAX} bytes. (Redis leaves some echoes
 *   unbounded; a reply here never grows with a hostile argument.)
 * - A CR or LF inside a text becomes a space, so no error can break the
 *   protocol; those at its end are dropped.
 *
 * Size: one catalogue, so that a text is looked for and changed in one place.
 *
 * @module
 */

/** The most bytes of a client's argument that an error repeats. */
const ECHO_BYTES_MAX = 128;

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;

/**
 * One error reply. Equal texts need not be the same object; the constants
 * below may be compared by identity.
 */
export class ErrorReply {
  /** The text without the leading `-` and the line end, one char a byte. */
  readonly text: string;
  /** The whole reply as it is sent. Shared: read it, never write to it. */
  readonly bytes: Uint8Array;

  /** `text` begins with its prefix and holds neither CR nor LF. */
  constructor(text: string) {
    const bytes = new Uint8Array(text.length + 3);
    bytes[0] = DASH;
    for (let i = 0; i < text.length; i++) bytes[i + 1] = text.charCodeAt(i);
    bytes[text.length + 1] = CR;
    bytes[text.length + 2] = LF;
    this.text = text;
    this.bytes = bytes;
    Object.freeze(this);
  }

  /** The first word: `ERR`, `WRONGTYPE` ... */
  get prefix(): string {
    const end = this.text.indexOf(" ");
    return end < 0 ? this.text : this.text.slice(0, end);
  }
}

/** An error of a text that may hold line ends, as texts from outside do. */
export function errorReply(text: string): ErrorReply {
  return new ErrorReply(
    text.replace(/[\r\n]+$/, "").replace(/[\r\n]/g, " "),
  );
}

/** What a client sent, as an error may repeat it. */
function echo(argument: Uint8Array, bytesMax = ECHO_BYTES_MAX): string {
  let text = "";
  for (let i = 0; i < argument.length && i < bytesMax; i++) {
    if (argument[i] === 0) break;
    text += String.fromCharCode(argument[i]!);
  }
  return text;
}

// ---- Values and arguments

export const WRONG_TYPE = new ErrorReply(
  "WRONGTYPE Operation against a key holding the wrong kind of value",
);
export const SYNTAX_ERROR = new ErrorReply("ERR syntax error");
export const NOT_AN_INTEGER = new ErrorReply(
  "ERR value is not an integer or out of range",
);
export const NOT_A_FLOAT = new ErrorReply("ERR value is not a valid float");
export const VALUE_OUT_OF_RANGE = new ErrorReply("ERR value is out of range");
export const VALUE_NOT_POSITIVE = new ErrorReply(
  "ERR value is out of range, must be positive",
);
export const NO_SUCH_KEY = new ErrorReply("ERR no such key");
export const SAME_OBJECT = new ErrorReply(
  "ERR source and destination objects are the same",
);
export const INDEX_OUT_OF_RANGE = new ErrorReply("ERR index out of range");
export const OFFSET_OUT_OF_RANGE = new ErrorReply("ERR offset is out of range");
export const STRING_TOO_LONG = new ErrorReply(
  "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
);
export const INCREMENT_OVERFLOW = new ErrorReply(
  "ERR increment or decrement would overflow",
);
export const DECREMENT_OVERFLOW = new ErrorReply(
  "ERR decrement would overflow",
);
export const INCREMENT_NOT_FINITE = new ErrorReply(
  "ERR increment would produce NaN or Infinity",
);
export const INVALID_CURSOR = new ErrorReply("ERR invalid cursor");
export const NAN_OR_INFINITY = new ErrorReply("ERR value is NaN or Infinity");

/** An integer that an argument must lie between; the grammar is Redis's. */
export function valueNotBetween(
  min: number | bigint,
  max: number | bigint,
): ErrorReply {
  return errorReply(
    `ERR value is out of range, value must between ${min} and ${max}`,
  );
}

// ---- Expiry and timeouts

export const EXPIRE_NX_INCOMPATIBLE = new ErrorReply(
  "ERR NX and XX, GT or LT options at the same time are not compatible",
);
export const EXPIRE_GT_LT_INCOMPATIBLE = new ErrorReply(
  "ERR GT and LT options at the same time are not compatible",
);
export const TIMEOUT_NOT_AN_INTEGER = new ErrorReply(
  "ERR timeout is not an integer or out of range",
);
export const TIMEOUT_NOT_A_FLOAT = new ErrorReply(
  "ERR timeout is not a float or out of range",
);
export const TIMEOUT_OUT_OF_RANGE = new ErrorReply(
  "ERR timeout is out of range",
);
export const TIMEOUT_NEGATIVE = new ErrorReply("ERR timeout is negative");

/** `command` is the full name in lower case, as in the command table. */
export function invalidExpireTime(command: string): ErrorReply {
  return errorReply(`ERR invalid expire time in '${command}' command`);
}

/** An option that the EXPIRE family does not know. */
export function unsupportedOption(option: Uint8Array): ErrorReply {
  return errorReply(`ERR Unsupported option ${echo(option)}`);
}

// ---- Databases

export const DB_INDEX_OUT_OF_RANGE = new ErrorReply(
  "ERR DB index is out of range",
);
export const INVALID_FIRST_DB_INDEX = new ErrorReply(
  "ERR invalid first DB index",
);
export const INVALID_SECOND_DB_INDEX = new ErrorReply(
  "ERR invalid second DB index",
);

// ---- LCS and OBJECT

export const LCS_NOT_STRINGS = new ErrorReply(
  "ERR The specified keys must contain string values",
);
export const LCS_LEN_AND_IDX = new ErrorReply(
  "ERR If you want both the length and indexes, please just use IDX.",
);
export const LCS_TOO_LARGE = new ErrorReply(
  "ERR Insufficient memory, transient memory for LCS exceeds " +
    "proto-max-bulk-len",
);
export const LCS_OUT_OF_MEMORY = new ErrorReply(
  "ERR Insufficient memory, failed allocating transient memory for LCS",
);
export const TOO_LONG_FOR_LOG = new ErrorReply(
  "ERR command is too long for the append-only log",
);
export const LFU_NOT_SELECTED = new ErrorReply(
  "ERR An LFU maxmemory policy is not selected, access frequency not " +
    "tracked. Please note that when switching between policies at runtime " +
    "LRU and LFU data will take some time to adjust.",
);
export const LFU_SELECTED = new ErrorReply(
  "ERR An LFU maxmemory policy is selected, idle time not tracked. Please " +
    "note that when switching between policies at runtime LRU and LFU data " +
    "will take some time to adjust.",
);

// ---- Hashes

export const HASH_VALUE_NOT_AN_INTEGER = new ErrorReply(
  "ERR hash value is not an integer",
);
export const HASH_VALUE_NOT_A_FLOAT = new ErrorReply(
  "ERR hash value is not a float",
);
export const FIELDS_MISSING = new ErrorReply(
  "ERR Mandatory argument FIELDS is missing or not at the right position",
);
/** HEXPIRE and its like. */
export const NUMFIELDS_NOT_POSITIVE = new ErrorReply(
  "ERR Parameter `numFields` should be greater than 0",
);
/** HTTL and its like, HPERSIST, HGETDEL, HGETEX. */
export const FIELD_COUNT_NOT_POSITIVE = new ErrorReply(
  "ERR Number of fields must be a positive integer",
);
/** HSETEX. */
export const INVALID_FIELD_COUNT = new ErrorReply(
  "ERR invalid number of fields",
);
export const NUMFIELDS_MISMATCH = new ErrorReply(
  "ERR The `numfields` parameter must match the number of arguments",
);
export const FIELD_EXPIRE_NEGATIVE = new ErrorReply(
  "ERR invalid expire time, must be >= 0",
);
export const HSETEX_NO_EXPIRE = new ErrorReply("ERR missing expire time");
export const HSETEX_CONDITIONS = new ErrorReply(
  "ERR Only one of FXX or FNX arguments can be specified",
);
export const HSETEX_EXPIRES = new ErrorReply(
  "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
);

export function unknownArgument(argument: Uint8Array): ErrorReply {
  return errorReply(`ERR unknown argument: ${echo(argument)}`);
}

// ---- Lists

/** LPOS. */
export const RANK_ZERO = new ErrorReply(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the " +
    "second ... or use negative to start from the end of the list",
);
export const COUNT_NEGATIVE = new ErrorReply("ERR COUNT can't be negative");
export const MAXLEN_NEGATIVE = new ErrorReply("ERR MAXLEN can't be negative");

// ---- Several keys: LMPOP, ZMPOP, SINTERCARD, ZINTERCARD

export const NUMKEYS_NOT_POSITIVE = new ErrorReply(
  "ERR numkeys should be greater than 0",
);
export const NUMKEYS_TOO_LARGE = new ErrorReply(
  "ERR Number of keys can't be greater than number of args",
);
export const LIMIT_NEGATIVE = new ErrorReply("ERR LIMIT can't be negative");
export const COUNT_NOT_POSITIVE = new ErrorReply(
  "ERR count should be greater than 0",
);

// ---- Sorted sets

export const ZADD_NX_AND_XX = new ErrorReply(
  "ERR XX and NX options at the same time are not compatible",
);
export const ZADD_GT_LT_NX = new ErrorReply(
  "ERR GT, LT, and/or NX options at the same time are not compatible",
);
export const ZADD_INCR_OF_MANY = new ErrorReply(
  "ERR INCR option supports a single increment-element pair",
);
export const SCORE_NOT_A_NUMBER = new ErrorReply(
  "ERR resulting score is not a number (NaN)",
);
export const SCORE_RANGE_INVALID = new ErrorReply(
  "ERR min or max is not a float",
);
export const LEX_RANGE_INVALID = new ErrorReply(
  "ERR min or max not valid string range item",
);
export const LIMIT_OF_RANKS = new ErrorReply(
  "ERR syntax error, LIMIT is only supported in combination with either " +
    "BYSCORE or BYLEX",
);
export const SCORES_OF_LEX_RANGE = new ErrorReply(
  "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
);
export const WEIGHT_NOT_A_FLOAT = new ErrorReply(
  "ERR weight value is not a float",
);

/** `command` is the full name in lower case. */
export function noInputKeys(command: string): ErrorReply {
  return errorReply(
    `ERR at least 1 input key is needed for '${command}' command`,
  );
}

// ---- Streams

export const STREAM_ID_INVALID = new ErrorReply(
  "ERR Invalid stream ID specified as stream command argument",
);
export const STREAM_START_INVALID = new ErrorReply(
  "ERR invalid start ID for the interval",
);
export const STREAM_END_INVALID = new ErrorReply(
  "ERR invalid end ID for the interval",
);
export const TRIM_STRATEGIES = new ErrorReply(
  "ERR syntax error, MAXLEN and MINID options at the same time are not " +
    "compatible",
);
export const TRIM_MAXLEN_NEGATIVE = new ErrorReply(
  "ERR The MAXLEN argument must be >= 0.",
);
export const TRIM_LIMIT_NEGATIVE = new ErrorReply(
  "ERR The LIMIT argument must be >= 0.",
);
export const LIMIT_WITHOUT_STRATEGY = new ErrorReply(
  "ERR syntax error, LIMIT cannot be used without specifying a trimming " +
    "strategy",
);
export const LIMIT_WITHOUT_TILDE = new ErrorReply(
  "ERR syntax error, LIMIT cannot be used without the special ~ option",
);
export const XTRIM_WITHOUT_STRATEGY = new ErrorReply(
  "ERR syntax error, XTRIM must be called with a trimming strategy",
);
export const XADD_ID_ZERO = new ErrorReply(
  "ERR The ID specified in XADD must be greater than 0-0",
);
export const XADD_ID_TOO_SMALL = new ErrorReply(
  "ERR The ID specified in XADD is equal or smaller than the target stream " +
    "top item",
);
export const STREAM_EXHAUSTED = new ErrorReply(
  "ERR The stream has exhausted the last possible ID, unable to add more items",
);
export const STREAM_ENTRY_TOO_LARGE = new ErrorReply(
  "ERR Elements are too large to be stored",
);
export const ENTRIESADDED_NEGATIVE = new ErrorReply(
  "ERR entries_added must be positive",
);
export const XSETID_BELOW_GIVEN_DELETED = new ErrorReply(
  "ERR The ID specified in XSETID is smaller than the provided " +
    "max_deleted_entry_id",
);
export const XSETID_BELOW_DELETED = new ErrorReply(
  "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
);
export const XSETID_BELOW_TOP = new ErrorReply(
  "ERR The ID specified in XSETID is smaller than the target stream top item",
);
export const XSETID_BELOW_LENGTH = new ErrorReply(
  "ERR The entries_added specified in XSETID is smaller than the target " +
    "stream length",
);
export const GROUP_OUTSIDE_XREADGROUP = new ErrorReply(
  "ERR The GROUP option is only supported by XREADGROUP. You called XREAD " +
    "instead.",
);
export const NOACK_OUTSIDE_XREADGROUP = new ErrorReply(
  "ERR The NOACK option is only supported by XREADGROUP. You called XREAD " +
    "instead.",
);
export const GROUP_MISSING = new ErrorReply(
  "ERR Missing GROUP option for XREADGROUP",
);
export const DOLLAR_IN_XREADGROUP = new ErrorReply(
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to " +
    "read the history of this consumer by specifying a proper ID, or use the " +
    "> ID to get new messages. The $ ID would just return an empty result set.",
);
export const NEW_IN_XREAD = new ErrorReply(
  "ERR The > ID can be specified only when calling XREADGROUP using the " +
    "GROUP <group> <consumer> option.",
);
export const ENTRIESREAD_INVALID = new ErrorReply(
  "ERR value for ENTRIESREAD must be positive or -1",
);
export const XGROUP_KEY_MISSING = new ErrorReply(
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE " +
    "you may want to use the MKSTREAM option to create an empty stream " +
    "automatically.",
);
export const BUSY_GROUP = new ErrorReply(
  "BUSYGROUP Consumer Group name already exists",
);
export const XCLAIM_IDLE_INVALID = new ErrorReply(
  "ERR Invalid IDLE option argument for XCLAIM",
);
export const XCLAIM_TIME_INVALID = new ErrorReply(
  "ERR Invalid TIME option argument for XCLAIM",
);
export const XCLAIM_RETRYCOUNT_INVALID = new ErrorReply(
  "ERR Invalid RETRYCOUNT option argument for XCLAIM",
);
export const XAUTOCLAIM_COUNT_INVALID = new ErrorReply("ERR COUNT must be > 0");
export const COUNT_TOO_HIGH = new ErrorReply(
  "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
);

/** XREAD and XREADGROUP; `symbol` is the ID beside which they stand for keys. */
export function unbalancedStreams(command: string, symbol: string): ErrorReply {
  return errorReply(
    `ERR Unbalanced '${command}' list of streams: for each stream key an ID ` +
      `or '${symbol}' must be specified.`,
  );
}

/** XCLAIM and XAUTOCLAIM; `command` is in upper case. */
export function minIdleTimeInvalid(command: string): ErrorReply {
  return errorReply(`ERR Invalid min-idle-time argument for ${command}`);
}

/** XCLAIM. */
export function unrecognizedXclaimOption(option: Uint8Array): ErrorReply {
  return errorReply(`ERR Unrecognized XCLAIM option '${echo(option)}'`);
}

/** XREADGROUP. */
export function noGroupToRead(key: Uint8Array, group: Uint8Array): ErrorReply {
  return errorReply(
    `NOGROUP No such key '${echo(key)}' or consumer group '${
      echo(group)
    }' in XREADGROUP with GROUP option`,
  );
}

/** XPENDING, XCLAIM and XAUTOCLAIM. */
export function noKeyOrGroup(key: Uint8Array, group: Uint8Array): ErrorReply {
  return errorReply(
    `NOGROUP No such key '${echo(key)}' or consumer group '${echo(group)}'`,
  );
}

/** XGROUP and XINFO CONSUMERS. */
export function noSuchGroup(key: Uint8Array, group: Uint8Array): ErrorReply {
  return errorReply(
    `NOGROUP No such consumer group '${echo(group)}' for key name '${
      echo(key)
    }'`,
  );
}

// ---- SORT

export const SCORES_NOT_DOUBLES = new ErrorReply(
  "ERR One or more scores can't be converted into double",
);

// ---- Bits, HyperLogLog and geo

export const BIT_OFFSET_INVALID = new ErrorReply(
  "ERR bit offset is not an integer or out of range",
);
export const BIT_INVALID = new ErrorReply(
  "ERR bit is not an integer or out of range",
);
export const BIT_NOT_0_OR_1 = new ErrorReply(
  "ERR The bit argument must be 1 or 0.",
);
export const BITOP_NOT_ONE_SOURCE = new ErrorReply(
  "ERR BITOP NOT must be called with a single source key.",
);
export const BITFIELD_TYPE_INVALID = new ErrorReply(
  "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is " +
    "not supported but i64 is.",
);
export const BITFIELD_OVERFLOW_INVALID = new ErrorReply(
  "ERR Invalid OVERFLOW type specified",
);
export const BITFIELD_RO_WRITES = new ErrorReply(
  "ERR BITFIELD_RO only supports the GET subcommand",
);

export const NOT_A_HYPERLOGLOG = new ErrorReply(
  "WRONGTYPE Key is not a valid HyperLogLog string value.",
);
export const HYPERLOGLOG_CORRUPT = new ErrorReply(
  "INVALIDOBJ Corrupted HLL object detected",
);
export const HYPERLOGLOG_NOT_SPARSE = new ErrorReply(
  "ERR HLL encoding is not sparse",
);
/** PFDEBUG. */
export const SPECIFIED_KEY_MISSING = new ErrorReply(
  "ERR The specified key does not exist",
);
export const HYPERLOGLOG_TEST_FAILED = new ErrorReply(
  "ERR TESTFAILED registers or estimates are not what they should be",
);

export function unknownPfdebugSubcommand(subcommand: Uint8Array): ErrorReply {
  return errorReply(`ERR Unknown PFDEBUG subcommand '${echo(subcommand)}'`);
}

// ---- Dumped values

export const DUMP_CHECKSUM_WRONG = new ErrorReply(
  "ERR DUMP payload version or checksum are wrong",
);
export const DUMP_FORMAT_BAD = new ErrorReply("ERR Bad data format");
export const RESTORE_TTL_INVALID = new ErrorReply(
  "ERR Invalid TTL value, must be >= 0",
);
export const RESTORE_IDLETIME_INVALID = new ErrorReply(
  "ERR Invalid IDLETIME value, must be >= 0",
);
export const RESTORE_FREQ_INVALID = new ErrorReply(
  "ERR Invalid FREQ value, must be >= 0 and <= 255",
);

export const GEO_UNIT_INVALID = new ErrorReply(
  "ERR unsupported unit provided. please use M, KM, FT, MI",
);
export const GEO_RADIUS_NOT_A_NUMBER = new ErrorReply(
  "ERR need numeric radius",
);
export const GEO_RADIUS_NEGATIVE = new ErrorReply(
  "ERR radius cannot be negative",
);
export const GEO_WIDTH_NOT_A_NUMBER = new ErrorReply("ERR need numeric width");
export const GEO_HEIGHT_NOT_A_NUMBER = new ErrorReply(
  "ERR need numeric height",
);
export const GEO_BOX_NEGATIVE = new ErrorReply(
  "ERR height or width cannot be negative",
);
export const GEO_MEMBER_MISSING = new ErrorReply(
  "ERR could not decode requested zset member",
);
export const GEO_COUNT_NOT_POSITIVE = new ErrorReply("ERR COUNT must be > 0");
export const GEO_ANY_WITHOUT_COUNT = new ErrorReply(
  "ERR the ANY argument requires COUNT argument",
);
export const GEORADIUS_STORE_WITH = new ErrorReply(
  "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH " +
    "and WITHCOORD options",
);
export const GEOSEARCHSTORE_WITH = new ErrorReply(
  "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and " +
    "WITHCOORD options",
);

/** Coordinates as `"%f"` prints them. */
export function invalidCoordinates(
  longitude: string,
  latitude: string,
): ErrorReply {
  return errorReply(
    `ERR invalid longitude,latitude pair ${longitude},${latitude}`,
  );
}

/** `command` is the name as it was sent. */
export function geoCentreMissing(command: Uint8Array): ErrorReply {
  return errorReply(
    "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " +
      echo(command),
  );
}

/** `command` is the name as it was sent. */
export function geoShapeMissing(command: Uint8Array): ErrorReply {
  return errorReply(
    "ERR exactly one of BYRADIUS and BYBOX can be specified for " +
      echo(command),
  );
}

// ---- Dispatch

/** `command` is the full name in lower case: `get`, `client|setname`. */
export function wrongNumberOfArguments(command: string): ErrorReply {
  return errorReply(`ERR wrong number of arguments for '${command}' command`);
}

/**
 * Repeats the name and then arguments as long as fewer than 128 bytes of
 * them, quotes and spaces included, have been written; the last one is cut to
 * what is left, and its own quotes and space may exceed it.
 */
export function unknownCommand(argv: readonly Uint8Array[]): ErrorReply {
  let args = "";
  for (let i = 1; i < argv.length && args.length < ECHO_BYTES_MAX; i++) {
    args += `'${echo(argv[i]!, ECHO_BYTES_MAX - args.length)}' `;
  }
  const name = argv.length > 0 ? echo(argv[0]!) : "";
  return errorReply(
    `ERR unknown command '${name}', with args beginning with: ${args}`,
  );
}

/** `container` is the command's name in any case: `client`. */
export function unknownSubcommand(
  container: string,
  subcommand: Uint8Array,
): ErrorReply {
  return errorReply(
    `ERR unknown subcommand '${
      echo(subcommand)
    }'. Try ${container.toUpperCase()} HELP.`,
  );
}

/** For containers that check the shape of a subcommand by themselves. */
export function subcommandSyntax(
  container: string,
  subcommand: Uint8Array,
): ErrorReply {
  return errorReply(
    `ERR unknown subcommand or wrong number of arguments for '${
      echo(subcommand)
    }'. Try ${container.toUpperCase()} HELP.`,
  );
}

export const INVALID_COMMAND_SPECIFIED = new ErrorReply(
  "ERR Invalid command specified",
);
export const COMMAND_HAS_NO_KEYS = new ErrorReply(
  "ERR The command has no key arguments",
);
export const INVALID_ARGUMENT_COUNT_SPECIFIED = new ErrorReply(
  "ERR Invalid number of arguments specified for command",
);
export const INVALID_ARGUMENTS_SPECIFIED = new ErrorReply(
  "ERR Invalid arguments specified for command",
);

// ---- Transactions and scripts

export const NOT_IN_TRANSACTION = new ErrorReply(
  "ERR Command not allowed inside a transaction",
);
export const MULTI_NESTED = new ErrorReply("ERR MULTI calls can not be nested");
export const EXEC_WITHOUT_MULTI = new ErrorReply("ERR EXEC without MULTI");
export const DISCARD_WITHOUT_MULTI = new ErrorReply(
  "ERR DISCARD without MULTI",
);
export const WATCH_INSIDE_MULTI = new ErrorReply(
  "ERR WATCH inside MULTI is not allowed",
);
export const EXEC_ABORT = new ErrorReply(
  "EXECABORT Transaction discarded because of previous errors.",
);
/** In RESP2, a client that listens to channels hears nothing else. */
export function onlySubscriberCommands(command: string): ErrorReply {
  return errorReply(
    `ERR Can't execute '${command}': only (P|S)SUBSCRIBE / ` +
      "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
  );
}

/** EXEC was refused; the reason is an error's text without `ERR`. */
export function execAbort(reason: string): ErrorReply {
  return errorReply(`EXECABORT Transaction discarded because of: ${reason}`);
}

export const NO_SCRIPT = new ErrorReply(
  "NOSCRIPT No matching script. Please use EVAL.",
);
export const BUSY_SCRIPT = new ErrorReply(
  "BUSY Redis is busy running a script. You can only call SCRIPT KILL or " +
    "SHUTDOWN NOSAVE.",
);
export const BUSY_FUNCTION = new ErrorReply(
  "BUSY Redis is busy running a script. You can only call FUNCTION KILL or " +
    "SHUTDOWN NOSAVE.",
);

// ---- Key locks

/** A command has waited for as long as `lock-wait-timeout` allows. */
export const LOCKED = new ErrorReply(
  "LOCKED key is locked by a background operation",
);

/** What a command in the background replies that its thread could not end. */
export const BACKGROUND_DIED = new ErrorReply("ERR background worker died");

/** A command that cannot be run in the name of locked keys. */
export const NOT_ON_LOCKED_KEYS = new ErrorReply(
  "ERR This command cannot be run on locked keys",
);

export const NO_SUCH_LOCK = new ErrorReply("ERR No such lock");

// ---- Handshake

export const NO_AUTH = new ErrorReply("NOAUTH Authentication required.");
export const NO_AUTH_HELLO = new ErrorReply(
  "NOAUTH HELLO must be called with the client already authenticated, " +
    "otherwise the HELLO AUTH <user> <pass> option can be used to " +
    "authenticate the client and select the RESP protocol version at the " +
    "same time",
);
export const WRONG_PASS = new ErrorReply(
  "WRONGPASS invalid username-password pair or user is disabled.",
);
export const AUTH_NOT_CONFIGURED = new ErrorReply(
  "ERR AUTH <password> called without any password configured for the " +
    "default user. Are you sure your configuration is correct?",
);
export const NO_PROTO = new ErrorReply("NOPROTO unsupported protocol version");
export const PROTOCOL_VERSION_NOT_AN_INTEGER = new ErrorReply(
  "ERR Protocol version is not an integer or out of range",
);
export const MAX_CLIENTS_REACHED = new ErrorReply(
  "ERR max number of clients reached",
);
export const PROTECTED_MODE = new ErrorReply(
  "DENIED Redis is running in protected mode because protected mode is " +
    "enabled and no password is set for the default user. In this mode " +
    "connections are only accepted from the loopback interface. If you want " +
    "to connect from external computers to Redis you may adopt one of the " +
    "following solutions: 1) Just disable protected mode sending the command " +
    "'CONFIG SET protected-mode no' from the loopback interface by " +
    "connecting to Redis from the same host the server is running, however " +
    "MAKE SURE Redis is not publicly accessible from internet if you do so. " +
    "Use CONFIG REWRITE to make this change permanent. 2) Alternatively you " +
    "can just disable the protected mode by editing the Redis configuration " +
    "file, and setting the protected mode option to 'no', and then " +
    "restarting the server. 3) If you started the server manually just for " +
    "testing, restart it with the '--protected-mode no' option. 4) Set up an " +
    "authentication password for the default user. NOTE: You only need to do " +
    "one of the above things in order for the server to start accepting " +
    "connections from the outside.",
);

/** An option of HELLO that is unknown or lacks its value. */
export function helloOption(option: Uint8Array): ErrorReply {
  return errorReply(`ERR Syntax error in HELLO option '${echo(option)}'`);
}

// ---- CLIENT

export const CLIENT_NAME_INVALID = new ErrorReply(
  "ERR Client names cannot contain spaces, newlines or special characters.",
);
export const NO_SUCH_CLIENT = new ErrorReply("ERR No such client");
/** CLIENT KILL ID. */
export const CLIENT_ID_NOT_POSITIVE = new ErrorReply(
  "ERR client-id should be greater than 0",
);
/** CLIENT KILL MAXAGE. */
export const MAXAGE_NOT_AN_INTEGER = new ErrorReply(
  "ERR maxage is not an integer or out of range",
);
export const MAXAGE_NOT_POSITIVE = new ErrorReply(
  "ERR maxage should be greater than 0",
);
/** CLIENT LIST ID. */
export const CLIENT_ID_INVALID = new ErrorReply("ERR Invalid client ID");
export const CLIENT_PAUSE_MODE = new ErrorReply(
  "ERR CLIENT PAUSE mode must be WRITE or ALL",
);
export const CLIENT_UNBLOCK_REASON = new ErrorReply(
  "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
);
/** What the blocked command answers, not CLIENT UNBLOCK itself. */
export const UNBLOCKED = new ErrorReply(
  "UNBLOCKED client unblocked via CLIENT UNBLOCK",
);

/** CLIENT SETINFO with a value that does not fit; the option is repeated. */
export function clientInfoInvalid(option: Uint8Array): ErrorReply {
  return errorReply(
    `ERR ${
      echo(option)
    } cannot contain spaces, newlines or special characters.`,
  );
}

/** CLIENT SETINFO with an option other than LIB-NAME and LIB-VER. */
export function clientInfoUnrecognized(option: Uint8Array): ErrorReply {
  return errorReply(`ERR Unrecognized option '${echo(option)}'`);
}

export function unknownClientType(type: Uint8Array): ErrorReply {
  return errorReply(`ERR Unknown client type '${echo(type)}'`);
}

/** CLIENT KILL USER. */
export function noSuchUser(user: Uint8Array): ErrorReply {
  return errorReply(`ERR No such user '${echo(user)}'`);
}

// ---- CLIENT TRACKING and MONITOR

export const REDIRECT_TWICE = new ErrorReply(
  "ERR A client can only redirect to a single other client",
);
export const REDIRECT_MISSING = new ErrorReply(
  "ERR The client ID you want redirect to does not exist",
);
export const PREFIX_WITHOUT_BCAST = new ErrorReply(
  "ERR PREFIX option requires BCAST mode to be enabled",
);
export const BCAST_SWITCHED = new ErrorReply(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
);
export const BCAST_WITH_OPT = new ErrorReply(
  "ERR OPTIN and OPTOUT are not compatible with BCAST",
);
export const OPTIN_WITH_OPTOUT = new ErrorReply(
  "ERR You can't specify both OPTIN mode and OPTOUT mode",
);
export const OPT_SWITCHED = new ErrorReply(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
);
export const CACHING_WITHOUT_TRACKING = new ErrorReply(
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
export const CACHING_YES_WITHOUT_OPTIN = new ErrorReply(
  "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
);
export const CACHING_NO_WITHOUT_OPTOUT = new ErrorReply(
  "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
);
export const MONITOR_DENIED = new ErrorReply(
  "ERR MONITOR isn't allowed for DENY BLOCKING client",
);
export const REPLICA_KEYSPACE = new ErrorReply(
  "ERR Replica can't interact with the keyspace",
);

/** The client has one that begins like it, or that it begins like. */
export function prefixOverlaps(
  prefix: Uint8Array,
  existing: Uint8Array,
): ErrorReply {
  return errorReply(
    `ERR Prefix '${echo(prefix)}' overlaps with an existing prefix ` +
      `'${echo(existing)}'. Prefixes for a single client must not overlap.`,
  );
}

/** As {@linkcode prefixOverlaps}, of two prefixes in one command. */
export function prefixesOverlap(a: Uint8Array, b: Uint8Array): ErrorReply {
  return errorReply(
    `ERR Prefix '${echo(a)}' overlaps with another provided prefix ` +
      `'${echo(b)}'. Prefixes for a single client must not overlap.`,
  );
}

// ---- CONFIG

export const NO_CONFIG_FILE = new ErrorReply(
  "ERR The server is running without a config file",
);

export function configUnknownOption(name: Uint8Array): ErrorReply {
  return errorReply(
    `ERR Unknown option or number of arguments for CONFIG SET - '${
      echo(name)
    }'`,
  );
}

/** `reason` is the setting's own complaint, without a period. */
export function configSetFailed(name: string, reason: string): ErrorReply {
  return errorReply(
    `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`,
  );
}

/** `reason` is what the operating system said. */
export function configRewriteFailed(reason: string): ErrorReply {
  return errorReply(`ERR Rewriting config file: ${reason}`);
}

// ---- Server and its tools

export const DEBUG_NOT_ALLOWED: ErrorReply = protectedCommand(
  "DEBUG",
  "enable-debug-command",
);
export const MODULE_NOT_ALLOWED: ErrorReply = protectedCommand(
  "MODULE",
  "enable-module-command",
);

function protectedCommand(command: string, option: string): ErrorReply {
  return new ErrorReply(
    `ERR ${command} command not allowed. If the ${option} option is set to ` +
      `"local", you can run it from a local connection, otherwise you need ` +
      `to set this option in the configuration file, and then restart the ` +
      `server.`,
  );
}

/** DEBUG HTSTATS. */
export const DATABASE_OUT_OF_RANGE = new ErrorReply(
  "ERR Out of range database",
);
export const SLOWLOG_COUNT_OUT_OF_RANGE = new ErrorReply(
  "ERR count should be greater than or equal to -1",
);
export const NO_SHUTDOWN_IN_PROGRESS = new ErrorReply(
  "ERR No shutdown in progress.",
);
export const SHUTDOWN_FAILED = new ErrorReply(
  "ERR Errors trying to SHUTDOWN. Check logs.",
);

// BGREWRITEAOF, WAITAOF, DEBUG LOADAOF
export const REWRITE_IN_PROGRESS = new ErrorReply(
  "ERR Background append only file rewriting already in progress",
);
export const NO_LOG_TO_REWRITE = new ErrorReply(
  "ERR There is no append only file to rewrite: appendonly is disabled.",
);
export const WAITAOF_WITHOUT_LOG = new ErrorReply(
  "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);
export const NO_LOG_TO_LOAD = new ErrorReply(
  "ERR There is no append only file to load: appendonly is disabled.",
);
export const LOAD_LOG_FAILED = new ErrorReply(
  "ERR Error trying to load the AOF files, check server logs.",
);

// SAVE, BGSAVE, DEBUG RELOAD
export const SAVE_IN_PROGRESS = new ErrorReply(
  "ERR Background save already in progress",
);
export const ANOTHER_CHILD_ACTIVE = new ErrorReply(
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use " +
    "BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
);
export const SAVE_FAILED = new ErrorReply("ERR");
export const RELOAD_OPTION = new ErrorReply(
  "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
);
export const RELOAD_FAILED = new ErrorReply(
  "ERR Error trying to load the RDB dump, check server logs.",
);

/** LATENCY GRAPH. */
export function noLatencySamples(event: Uint8Array): ErrorReply {
  return errorReply(`ERR No samples available for event '${echo(event)}'`);
}

// ---- States of the server in which it refuses commands

export const OUT_OF_MEMORY = new ErrorReply(
  "OOM command not allowed when used memory > 'maxmemory'.",
);
export const LOADING = new ErrorReply(
  "LOADING Redis is loading the dataset in memory",
);
export const READ_ONLY = new ErrorReply(
  "READONLY You can't write against a read only replica.",
);
export const BUSY_KEY = new ErrorReply(
  "BUSYKEY Target key name already exists.",
);
export const SNAPSHOT_MISCONFIGURED = new ErrorReply(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently " +
    "unable to persist to disk. Commands that may modify the data set are " +
    "disabled, because this instance is configured to report errors during " +
    "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). " +
    "Please check the Redis logs for details about the RDB error.",
);

/** `reason` is what the operating system said. */
export function aofMisconfigured(reason: string): ErrorReply {
  return errorReply(`MISCONF Errors writing to the AOF file: ${reason}`);
}

// ---- Protocol errors: answered once, then the connection is closed

export const TOO_BIG_INLINE_REQUEST = new ErrorReply(
  "ERR Protocol error: too big inline request",
);
export const UNBALANCED_QUOTES = new ErrorReply(
  "ERR Protocol error: unbalanced quotes in request",
);
export const TOO_BIG_MULTIBULK_COUNT = new ErrorReply(
  "ERR Protocol error: too big mbulk count string",
);
export const INVALID_MULTIBULK_LENGTH = new ErrorReply(
  "ERR Protocol error: invalid multibulk length",
);
export const UNAUTHENTICATED_MULTIBULK_LENGTH = new ErrorReply(
  "ERR Protocol error: unauthenticated multibulk length",
);
export const TOO_BIG_BULK_COUNT = new ErrorReply(
  "ERR Protocol error: too big bulk count string",
);
export const INVALID_BULK_LENGTH = new ErrorReply(
  "ERR Protocol error: invalid bulk length",
);
export const UNAUTHENTICATED_BULK_LENGTH = new ErrorReply(
  "ERR Protocol error: unauthenticated bulk length",
);

/** `byte` is what stood where a bulk string's `$` belongs. */
export function expectedDollar(byte: number): ErrorReply {
  return errorReply(
    `ERR Protocol error: expected '$', got '${String.fromCharCode(byte)}'`,
  );
}
