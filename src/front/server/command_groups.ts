/**
 * The commands that this server has: the rows of all groups, in one table.
 *
 * @module
 */

import { BITFIELD_COMMANDS } from "../../core/commands/bitfield.ts";
import { BIT_COMMANDS } from "../../core/commands/bits.ts";
import { CommandTable } from "../../core/commands/command_table.ts";
import { DATABASE_COMMANDS } from "../../core/commands/databases.ts";
import { DUMP_COMMANDS } from "../../core/commands/dump.ts";
import { EXPIRE_COMMANDS } from "../../core/commands/expire.ts";
import { GEO_COMMANDS } from "../../core/commands/geo.ts";
import { GEO_SEARCH_COMMANDS } from "../../core/commands/geo_search.ts";
import { HASH_COMMANDS } from "../../core/commands/hash.ts";
import { HASH_EXPIRE_COMMANDS } from "../../core/commands/hash_expire.ts";
import { HASH_GETSET_COMMANDS } from "../../core/commands/hash_getset.ts";
import { HASH_RANDOM_COMMANDS } from "../../core/commands/hash_random.ts";
import { HYPERLOGLOG_COMMANDS } from "../../core/commands/hyperloglog.ts";
import { KEY_COMMANDS } from "../../core/commands/keys.ts";
import { LCS_COMMANDS } from "../../core/commands/lcs.ts";
import { LIST_COMMANDS } from "../../core/commands/list.ts";
import { LIST_BLOCKING_COMMANDS } from "../../core/commands/list_blocking.ts";
import { LIST_POP_COMMANDS } from "../../core/commands/list_pops.ts";
import { OBJECT_COMMANDS } from "../../core/commands/object.ts";
import { SCAN_COMMANDS } from "../../core/commands/scan.ts";
import { SET_COMMANDS } from "../../core/commands/set.ts";
import { SET_ALGEBRA_COMMANDS } from "../../core/commands/set_algebra.ts";
import { SET_RANDOM_COMMANDS } from "../../core/commands/set_random.ts";
import { SORT_COMMANDS } from "../../core/commands/sort.ts";
import { SORTED_SET_COMMANDS } from "../../core/commands/sorted_set.ts";
import { SORTED_SET_ALGEBRA_COMMANDS } from "../../core/commands/sorted_set_algebra.ts";
import { SORTED_SET_BLOCKING_COMMANDS } from "../../core/commands/sorted_set_blocking.ts";
import { SORTED_SET_POP_COMMANDS } from "../../core/commands/sorted_set_pops.ts";
import { SORTED_SET_RANGE_COMMANDS } from "../../core/commands/sorted_set_range.ts";
import { STREAM_COMMANDS } from "../../core/commands/stream.ts";
import { STREAM_GROUP_COMMANDS } from "../../core/commands/stream_group.ts";
import { STREAM_INFO_COMMANDS } from "../../core/commands/stream_info.ts";
import { STREAM_CLAIM_COMMANDS } from "../../core/commands/stream_claim.ts";
import { STREAM_PENDING_COMMANDS } from "../../core/commands/stream_pending.ts";
import { STREAM_READ_COMMANDS } from "../../core/commands/stream_read.ts";
import { STRING_COMMANDS } from "../../core/commands/string.ts";
import { STRING_NUMBER_COMMANDS } from "../../core/commands/string_numbers.ts";
import { STRING_RANGE_COMMANDS } from "../../core/commands/string_ranges.ts";
import { TRANSACTION_COMMANDS } from "../../engine/executor/transaction_commands.ts";
import { APPEND_ONLY_COMMANDS } from "./commands/append_only.ts";
import { CLIENT_COMMANDS } from "./commands/client.ts";
import { COMMAND_COMMANDS } from "./commands/command.ts";
import { CONFIG_COMMANDS } from "./commands/config.ts";
import { CONNECTION_COMMANDS } from "./commands/connection.ts";
import { DEBUG_COMMANDS } from "./commands/debug.ts";
import { INFO_COMMANDS } from "./commands/info.ts";
import { LATENCY_COMMANDS } from "./commands/latency.ts";
import { LOCK_COMMANDS } from "./commands/locks.ts";
import { MEMORY_COMMANDS } from "./commands/memory.ts";
import { MONITOR_COMMANDS } from "./commands/monitor.ts";
import { PUBSUB_COMMANDS } from "./commands/pubsub.ts";
import { SERVER_COMMANDS } from "./commands/server.ts";
import { SLOWLOG_COMMANDS } from "./commands/slowlog.ts";
import { SNAPSHOT_COMMANDS } from "./commands/snapshot.ts";
import type { ServerCall } from "./server_call.ts";

/** Builds the table; one per worker. */
export function makeCommandTable(): CommandTable<ServerCall> {
  return new CommandTable<ServerCall>(
    STRING_COMMANDS,
    STRING_NUMBER_COMMANDS,
    STRING_RANGE_COMMANDS,
    LCS_COMMANDS,
    BIT_COMMANDS,
    BITFIELD_COMMANDS,
    HYPERLOGLOG_COMMANDS,
    LIST_COMMANDS,
    LIST_POP_COMMANDS,
    LIST_BLOCKING_COMMANDS,
    HASH_COMMANDS,
    HASH_RANDOM_COMMANDS,
    HASH_EXPIRE_COMMANDS,
    HASH_GETSET_COMMANDS,
    SET_COMMANDS,
    SET_RANDOM_COMMANDS,
    SET_ALGEBRA_COMMANDS,
    SORTED_SET_COMMANDS,
    SORTED_SET_POP_COMMANDS,
    SORTED_SET_RANGE_COMMANDS,
    SORTED_SET_ALGEBRA_COMMANDS,
    SORTED_SET_BLOCKING_COMMANDS,
    GEO_COMMANDS,
    GEO_SEARCH_COMMANDS,
    STREAM_COMMANDS,
    STREAM_READ_COMMANDS,
    STREAM_GROUP_COMMANDS,
    STREAM_CLAIM_COMMANDS,
    STREAM_PENDING_COMMANDS,
    STREAM_INFO_COMMANDS,
    KEY_COMMANDS,
    EXPIRE_COMMANDS,
    SCAN_COMMANDS,
    SORT_COMMANDS,
    OBJECT_COMMANDS,
    DUMP_COMMANDS,
    DATABASE_COMMANDS,
    TRANSACTION_COMMANDS,
    PUBSUB_COMMANDS,
    CONNECTION_COMMANDS,
    CLIENT_COMMANDS,
    COMMAND_COMMANDS,
    CONFIG_COMMANDS,
    INFO_COMMANDS,
    MEMORY_COMMANDS,
    SLOWLOG_COMMANDS,
    LATENCY_COMMANDS,
    DEBUG_COMMANDS,
    SERVER_COMMANDS,
    LOCK_COMMANDS,
    MONITOR_COMMANDS,
    SNAPSHOT_COMMANDS,
    APPEND_ONLY_COMMANDS,
  );
}
