/**
 * A session: what Redis remembers of one connection between commands.
 *
 * @module
 */

import type { Session as CoreSession } from "../../core/commands/call.ts";
import type { SessionTracking } from "../tracking/session_tracking.ts";
import type { LockVerdict } from "../locks/command_locks.ts";
import type { LockWait } from "../locks/lock_waits.ts";
import type { Transaction } from "./transaction.ts";

/** Bits of {@linkcode Session.gate}: why a command may not simply run. */
export const GATE_AUTH = 1;
/** CLIENT REPLY OFF: nothing is answered. */
export const GATE_REPLY_OFF = 2;
/** CLIENT REPLY SKIP, to take effect with the next command. */
export const GATE_REPLY_SKIP_NEXT = 4;
/** CLIENT REPLY SKIP: this command is not answered. */
export const GATE_REPLY_SKIP = 8;
/** Any of the bits that keep a reply back. */
export const GATE_SILENT = GATE_REPLY_OFF | GATE_REPLY_SKIP_NEXT |
  GATE_REPLY_SKIP;

/** CLIENT NO-TOUCH: commands do not change when keys were used. */
export const GATE_NO_TOUCH = 16;
/** MULTI: commands are queued. */
export const GATE_MULTI = 32;

/** It listens to channels: in RESP2, few commands are allowed. */
export const GATE_SUBSCRIBED = 64;
/** Messages wait behind the reply of the command at hand. */
export const GATE_PUSHED = 128;
/** CLIENT TRACKING: what it reads is noted. */
export const GATE_TRACKING = 256;
/** It gets messages about changed keys, perhaps for another session. */
export const GATE_RECEIVES = 512;
/** MONITOR: it sees all commands, and may touch no key. */
export const GATE_MONITOR = 1024;

/** Its command is parked until locked keys are free. */
export const GATE_LOCKED = 2048;

/** What is remembered of a command that was called. */
export interface CalledCommand {
  /** As COMMAND prints it: `get`, `client|id`. */
  readonly fullName: string;
  /** Bits of FLAG. */
  readonly flags: number;
}

/** The user of connections that have not said who they are. */
export const DEFAULT_USER = "default";

/** State of a session; plain data, read by CLIENT LIST and INFO. */
export class Session implements CoreSession {
  /**
   * Unique for the life of the process, over all workers; 0 for nobody. A session
   * in whose name others' commands run has the id of whose command it is.
   */
  id: number;
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
  user: string = DEFAULT_USER;
  /** CLIENT NO-EVICT. */
  noEvict = false;
  /** What it has queued and watches; null if it never did. */
  transaction: Transaction | null = null;
  /** CLIENT TRACKING; null if it never was on. */
  tracking: SessionTracking | null = null;
  /** How its parked command waits for locked keys; null nearly always. */
  lockWait: LockWait | null = null;
  /** What that command is told instead of being run. */
  lockVerdict: LockVerdict | null = null;
  /** How long it has waited, in milliseconds, until it could run. */
  lockWaitedMs = 0;
  /** Runs the parked command; null where the session's connection does. */
  onLockWake: (() => void) | null = null;
  /** When it connected. */
  readonly createdMs: number;
  /** When its last command began. */
  lastActiveMs: number;
  /** The last command; null if there was none, or none of its name. */
  command: CalledCommand | null = null;
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

  /** CLIENT NO-TOUCH. */
  get noTouch(): boolean {
    return (this.gate & GATE_NO_TOUCH) !== 0;
  }

  set noTouch(value: boolean) {
    this.gate = value ? this.gate | GATE_NO_TOUCH : this.gate & ~GATE_NO_TOUCH;
  }

  /**
   * Back to what a fresh connection has; transaction and tracking must have
   * ended, but it may still get messages for others. The
   * library's name and version stay, as the library is still the same. CLIENT
   * REPLY SKIP stays in force for the command at hand.
   */
  reset(mustAuthenticate: boolean): void {
    this.db = 0;
    this.resp = 2;
    this.gate &= GATE_REPLY_SKIP | GATE_PUSHED | GATE_RECEIVES;
    if (mustAuthenticate) this.gate |= GATE_AUTH;
    this.name = "";
    this.user = DEFAULT_USER;
    this.noEvict = false;
  }
}

/**
 * A session without a connection, in whose name commands are run; in the slow log
 * they are those of `caller`.
 */
export function guestSession(id: number, caller?: Session): Session {
  const session = new Session({
    id,
    nowMs: 0,
    address: caller?.address ?? "",
    localAddress: "",
    isUnix: false,
  });
  session.name = caller?.name ?? "";
  return session;
}
