/**
 * The numbers of Redis's snapshot format (RDB): kinds of values, encodings of
 * lengths and strings, versions.
 *
 * A kind says how a value is written, and so more than its type: what Redis has
 * changed over the years are new kinds, and all of them are read.
 *
 * Source: rdb.h of Redis 7.4.
 *
 * @module
 */

/** A string. */
export const RDB_STRING = 0;
/** A count, elements. */
export const RDB_LIST = 1;
/** A count, members. */
export const RDB_SET = 2;
/** A count, members with their scores as text. */
export const RDB_ZSET = 3;
/** A count, fields with their values. */
export const RDB_HASH = 4;
/** A count, members with their scores as eight bytes. */
export const RDB_ZSET_2 = 5;
/** A zipmap, Redis 2.0 to 2.4. */
export const RDB_HASH_ZIPMAP = 9;
/** One ziplist, up to Redis 3.0. */
export const RDB_LIST_ZIPLIST = 10;
/** An intset. */
export const RDB_SET_INTSET = 11;
/** A ziplist, up to Redis 6.2. */
export const RDB_ZSET_ZIPLIST = 12;
/** A ziplist, up to Redis 6.2. */
export const RDB_HASH_ZIPLIST = 13;
/** A count, ziplists: Redis 3.2 to 6.2. */
export const RDB_LIST_QUICKLIST = 14;
/** A module's value, of Redis 4 and of later ones. */
export const RDB_MODULE = 6;
/** The same, which can be passed over. */
export const RDB_MODULE_2 = 7;
/** A stream of Redis 5 and 6. */
export const RDB_STREAM_LISTPACKS = 15;
/** A listpack of pairs. */
export const RDB_HASH_LISTPACK = 16;
/** A listpack of pairs. */
export const RDB_ZSET_LISTPACK = 17;
/** A count, listpacks and single elements. */
export const RDB_LIST_QUICKLIST_2 = 18;
/** A stream of Redis 7.0. */
export const RDB_STREAM_LISTPACKS_2 = 19;
/** A listpack of members, since Redis 7.2. */
export const RDB_SET_LISTPACK = 20;
/** A stream since Redis 7.2. */
export const RDB_STREAM_LISTPACKS_3 = 21;
/** A hash of fields that expire, as candidates of Redis 7.4 wrote it. */
export const RDB_HASH_METADATA_EARLY = 22;
/** The same, packed. */
export const RDB_HASH_LISTPACK_EX_EARLY = 23;
/** A hash of fields that expire, since Redis 7.4. */
export const RDB_HASH_METADATA = 24;
/** The same, packed. */
export const RDB_HASH_LISTPACK_EX = 25;

/** The format's version in Redis 7.0: the one in which values are written. */
export const RDB_VERSION_7_0 = 10;
/** The oldest version that ends with a checksum. */
export const RDB_VERSION_CHECKSUM = 5;
/** In Redis 7.4: for hashes of fields that expire, and the newest that is read. */
export const RDB_VERSION_7_4 = 12;

/** Upper two bits of a length's first byte: one of 6 bits. */
export const LENGTH_6 = 0;
/** A length of 14 bits, high bits first. */
export const LENGTH_14 = 1;
/** What follows is no length, but tells how a string is encoded. */
export const LENGTH_ENCODED = 3;
/** First byte of a length of 32 bits, high byte first. */
export const LENGTH_32 = 0x80;
/** First byte of a length of 64 bits, high byte first. */
export const LENGTH_64 = 0x81;

/** First byte of a string that is an integer of 8 bits. */
export const STRING_INT8 = 0xc0;
/** First byte of a string that is an integer of 16 bits, low byte first. */
export const STRING_INT16 = 0xc1;
/** First byte of a string that is an integer of 32 bits, low byte first. */
export const STRING_INT32 = 0xc2;
/** First byte of a compressed string. */
export const STRING_LZF = 0xc3;

/** Longest string that there can be. */
export const STRING_BYTES_MAX: number = 2 ** 29 - 1;

/** First byte of a record: how many keys a slot has (Valkey 8). */
export const OPCODE_SLOT_INFO = 244;
/** A library of functions. */
export const OPCODE_FUNCTION = 245;
/** The same, as candidates of Redis 7.0 wrote it. */
export const OPCODE_FUNCTION_EARLY = 246;
/** Data of a module. */
export const OPCODE_MODULE_AUX = 247;
/** Seconds for which the next key was not used. */
export const OPCODE_IDLE = 248;
/** How often the next key was used: one byte. */
export const OPCODE_FREQUENCY = 249;
/** A name and a text about the file. */
export const OPCODE_AUX = 250;
/** Keys of the database, and those with an expire. */
export const OPCODE_RESIZE = 251;
/** When the next key expires, in milliseconds. */
export const OPCODE_EXPIRE_MS = 252;
/** When the next key expires, in seconds of 32 bits. */
export const OPCODE_EXPIRE_SECONDS = 253;
/** The keys that follow are of another database. */
export const OPCODE_SELECT = 254;
/** The end, before the checksum. */
export const OPCODE_END = 255;

/** First bytes of a file; four digits of the version follow. */
export const FILE_MAGIC = "REDIS";
/** Bytes of magic and version. */
export const FILE_HEAD_BYTES = 9;

/** A part of a list that holds one element. */
export const CONTAINER_PLAIN = 1;
/** A part of a list that is a listpack. */
export const CONTAINER_PACKED = 2;
