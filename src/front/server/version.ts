/**
 * Versions that the server tells.
 *
 * @module
 */

/** Version of this server. */
export const SHERD_VERSION = "0.1.0";

/** The Redis whose commands and replies this server follows. */
export const REDIS_VERSION = "7.2.4";
