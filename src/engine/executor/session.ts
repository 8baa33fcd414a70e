/**
 * A session: what Redis remembers of one connection between commands.
 *
 * @module
 */

import type { Session as CoreSession } from "../../core/commands/call.ts";

/** Bits of {@linkcode Session.gate}: why a command may not simply run. */
export const GATE_AUTH = 1;
/** CLIENT REPLY OFF: nothing is answered. */
export const GATE_REPLY_OFF = 2;
/** CLIENT REPLY SKIP, to take effect with the next command. */
export const GATE_REPLY_SKIP_NEXT = 4;
/** CLIENT REPLY SKIP: this command is not answered. */
export const GATE_REPLY_SKIP = 8;
/** The session was told to close; nothing runs any more. */
export const GATE_CLOSING = 16;

/** State of a session; plain data, read by CLIENT LIST and INFO. */
export class Session implements CoreSession {
  /** Unique for the life of the process, over all workers. */
  readonly id: number;
  /** Selected database. */
  db = 0;
  /** Protocol version. */
  resp: 2 | 3 = 2;
  /** Bits that make a command take the slower path; 0 nearly always. */
  gate = 0;
  /** CLIENT SETNAME. */
  name = "";
  /** CLIENT SETINFO lib-name. */
  libName = "";
  /** CLIENT SETINFO lib-ver. */
  libVersion = "";
  /** User it authenticated as. */
  user = "default";
  /** CLIENT NO-EVICT. */
  noEvict = false;
  /** CLIENT NO-TOUCH. */
  noTouch = false;
  /** When it connected. */
  readonly createdMs: number;
  /** When its last command began. */
  lastActiveMs: number;
  /** Name of the last command, as CLIENT LIST shows it. */
  lastCommand = "NULL";
  /** Commands processed. */
  commandCount = 0;
  /** Peer and own address. */
  readonly address: string;
  /** Own address. */
  readonly localAddress: string;
  /** Whether it came over the unix socket. */
  readonly isUnix: boolean;

  /** A session that was just connected. */
  constructor(
    options: {
      id: number;
      nowMs: number;
      address: string;
      localAddress: string;
      isUnix: boolean;
    },
  ) {
    this.id = options.id;
    this.createdMs = options.nowMs;
    this.lastActiveMs = options.nowMs;
    this.address = options.address;
    this.localAddress = options.localAddress;
    this.isUnix = options.isUnix;
  }
}
