/**
 * CLIENT TRACKING and what belongs to it: how a client's own cache is kept true.
 *
 * @module
 */

import { latin1BytesOf } from "../../../core/base/bytes.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import type { LateReply } from "../../../core/commands/command_spec.ts";
import {
  BCAST_SWITCHED,
  BCAST_WITH_OPT,
  CACHING_NO_WITHOUT_OPTOUT,
  CACHING_WITHOUT_TRACKING,
  CACHING_YES_WITHOUT_OPTIN,
  type ErrorReply,
  NOT_AN_INTEGER,
  OPT_SWITCHED,
  OPTIN_WITH_OPTOUT,
  OUT_OF_MEMORY,
  PREFIX_WITHOUT_BCAST,
  prefixesOverlap,
  prefixOverlaps,
  REDIRECT_MISSING,
  REDIRECT_TWICE,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import type { ReplyWriter } from "../../../core/resp/reply_writer.ts";
import type { Session } from "../../../engine/executor/session.ts";
import type {
  SessionTracking,
  TrackingOptions,
} from "../../../engine/tracking/session_tracking.ts";
import type { TrackingOutcome } from "../../../engine/tracking/trackers.ts";
import type { ServerCall } from "../server_call.ts";
import { integerAt, textAt } from "./_arguments.ts";

/** What the arguments say, as far as they can be understood. */
interface Request {
  redirect: number | null;
  isBroadcast: boolean;
  isOptIn: boolean;
  isOptOut: boolean;
  isNoLoop: boolean;
  readonly prefixes: string[];
  /** The first error; of less weight than a receiver that is not there. */
  error: ErrorReply | null;
}

/**
 * `CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix
 * ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
 */
export function clientTrackingCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { args, reply, session, worker } = call;
  const view = new RequestView(args);
  const isOn = view.equalsIgnoreCase(2, "ON");
  const isOff = view.equalsIgnoreCase(2, "OFF");
  const request = readRequest(call, view);
  // Earlier changes of the same transaction concern those who track until now.
  worker.tracking.tell();
  if (request.error === null) {
    if (isOn) request.error = whyNot(session.tracking, request);
    else if (!isOff) request.error = SYNTAX_ERROR;
  }
  const { redirect, error } = request;
  if (redirect !== null && (error !== null || isOff)) {
    const exists = worker.tracking.trackers.exists(redirect);
    const answer = (to: ReplyWriter, isThere: boolean) => {
      if (!isThere) return to.error(REDIRECT_MISSING);
      if (error !== null) return to.error(error);
      worker.tracking.trackers.end(session);
      to.ok();
    };
    if (exists === true || exists === false) return answer(reply, exists);
    return exists.then((isThere) => (late) => answer(late, isThere));
  }
  if (error !== null) return reply.error(error);
  if (isOff) {
    worker.tracking.trackers.end(session);
    return reply.ok();
  }
  const outcome = worker.tracking.trackers.begin(session, optionsOf(request));
  if (typeof outcome === "string") return answerOutcome(reply, outcome);
  return outcome.then((known) => (late) => answerOutcome(late, known));
}

function answerOutcome(reply: ReplyWriter, outcome: TrackingOutcome): void {
  if (outcome === "ok") reply.ok();
  else if (outcome === "no receiver") reply.error(REDIRECT_MISSING);
  else reply.error(OUT_OF_MEMORY);
}

function readRequest(call: ServerCall, view: RequestView): Request {
  const request: Request = {
    redirect: null,
    isBroadcast: false,
    isOptIn: false,
    isOptOut: false,
    isNoLoop: false,
    prefixes: [],
    error: null,
  };
  for (let i = 3; i < call.argc; i++) {
    const hasMore = i + 1 < call.argc;
    if (view.equalsIgnoreCase(i, "REDIRECT") && hasMore) {
      const redirect = integerAt(call, ++i);
      request.error = request.redirect !== null
        ? REDIRECT_TWICE
        : Number.isNaN(redirect)
        ? NOT_AN_INTEGER
        : redirect <= 0
        ? REDIRECT_MISSING
        : null;
      if (request.error !== null) return request;
      request.redirect = redirect;
    } else if (view.equalsIgnoreCase(i, "BCAST")) request.isBroadcast = true;
    else if (view.equalsIgnoreCase(i, "OPTIN")) request.isOptIn = true;
    else if (view.equalsIgnoreCase(i, "OPTOUT")) request.isOptOut = true;
    else if (view.equalsIgnoreCase(i, "NOLOOP")) request.isNoLoop = true;
    else if (view.equalsIgnoreCase(i, "PREFIX") && hasMore) {
      request.prefixes.push(textAt(call, ++i));
    } else {
      request.error = SYNTAX_ERROR;
      return request;
    }
  }
  return request;
}

/** Why a session cannot begin to track like this; null if it can. */
function whyNot(
  tracking: SessionTracking | null,
  request: Request,
): ErrorReply | null {
  const { isBroadcast, isOptIn, isOptOut, prefixes } = request;
  const now = tracking?.isOn === true ? tracking.options : null;
  if (!isBroadcast && prefixes.length > 0) return PREFIX_WITHOUT_BCAST;
  if (now !== null && now.isBroadcast !== isBroadcast) return BCAST_SWITCHED;
  if (isBroadcast && (isOptIn || isOptOut)) return BCAST_WITH_OPT;
  if (isOptIn && isOptOut) return OPTIN_WITH_OPTOUT;
  if (now !== null && (isOptIn && now.isOptOut || isOptOut && now.isOptIn)) {
    return OPT_SWITCHED;
  }
  return findOverlap([...now?.prefixes ?? []].sort(), prefixes);
}

/** A client has no prefix that another one of its prefixes begins with. */
function findOverlap(
  existing: readonly string[],
  prefixes: readonly string[],
): ErrorReply | null {
  for (const [i, prefix] of prefixes.entries()) {
    const before = existing.find((other) => overlap(prefix, other));
    if (before !== undefined) {
      return prefixOverlaps(latin1BytesOf(prefix), latin1BytesOf(before));
    }
    const other = prefixes.slice(i + 1).find((next) => overlap(prefix, next));
    if (other !== undefined) {
      return prefixesOverlap(latin1BytesOf(prefix), latin1BytesOf(other));
    }
  }
  return null;
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function optionsOf(request: Request): TrackingOptions {
  const { isBroadcast, prefixes } = request;
  return {
    redirect: request.redirect ?? 0,
    isBroadcast,
    isOptIn: request.isOptIn,
    isOptOut: request.isOptOut,
    isNoLoop: request.isNoLoop,
    prefixes: isBroadcast && prefixes.length === 0 ? [""] : prefixes,
  };
}

/** `CLIENT CACHING <YES | NO>` */
export function clientCachingCommand(call: ServerCall): void {
  const { args, reply, session } = call;
  const { tracking } = session;
  if (tracking === null || !tracking.isOn) {
    return reply.error(CACHING_WITHOUT_TRACKING);
  }
  const view = new RequestView(args);
  if (view.equalsIgnoreCase(2, "YES")) {
    if (!tracking.options.isOptIn) {
      return reply.error(CACHING_YES_WITHOUT_OPTIN);
    }
  } else if (view.equalsIgnoreCase(2, "NO")) {
    if (!tracking.options.isOptOut) {
      return reply.error(CACHING_NO_WITHOUT_OPTOUT);
    }
  } else return reply.error(SYNTAX_ERROR);
  tracking.isCachingGiven = true;
  reply.ok();
}

/** `CLIENT GETREDIR`: 0 without redirection, -1 without tracking. */
export function clientGetredirCommand({ reply, session }: ServerCall): void {
  reply.integer(redirectOf(session));
}

/** The session that gets another's messages; 0: itself, -1: there are none. */
export function redirectOf({ tracking }: Session): number {
  return tracking?.isOn === true ? tracking.options.redirect : -1;
}

/** `CLIENT TRACKINGINFO` */
export function clientTrackinginfoCommand(call: ServerCall): void {
  const { reply, session } = call;
  const { tracking } = session;
  const flags = flagsOf(tracking);
  const prefixes = [...tracking?.options.prefixes ?? []].sort();
  reply.map(3);
  reply.bulkText("flags");
  reply.set(flags.length);
  for (const flag of flags) reply.bulkText(flag);
  reply.bulkText("redirect");
  reply.integer(redirectOf(session));
  reply.bulkText("prefixes");
  reply.array(prefixes.length);
  for (const prefix of prefixes) {
    const bytes = latin1BytesOf(prefix);
    reply.bulk(bytes, 0, bytes.length);
  }
}

function flagsOf(tracking: SessionTracking | null): string[] {
  if (tracking?.isOn !== true) return ["off"];
  const { options, isCachingGiven, isBroken } = tracking;
  const flags = ["on"];
  if (options.isBroadcast) flags.push("bcast");
  if (options.isOptIn) {
    flags.push("optin");
    if (isCachingGiven) flags.push("caching-yes");
  }
  if (options.isOptOut) {
    flags.push("optout");
    if (isCachingGiven) flags.push("caching-no");
  }
  if (options.isNoLoop) flags.push("noloop");
  if (isBroken) flags.push("broken_redirect");
  return flags;
}
