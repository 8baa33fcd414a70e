/**
 * The members of a set as a reply.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { SetMember } from "../types/set_member.ts";
import type { MemberVisitor } from "../types/set_value.ts";
import type { Call } from "./call.ts";
import { type ElementWriter, replyLasting } from "./element_stream.ts";

/** Writes members and counts them. */
export class MemberReplies implements MemberVisitor {
  /** Where they go. */
  reply: ReplyWriter | undefined;
  /** Members written. */
  count = 0;

  member(member: SetMember): void {
    const buf = member.text();
    this.reply!.bulk(buf, member.off, member.length);
    this.count++;
  }
}

const REPLIES = new MemberReplies();

/** Writes all members of a set; places are those of the set. */
export const MEMBERS: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { sets } = space.values;
    REPLIES.reply = reply;
    let place = from;
    while (place < to && reply.cost < limit) {
      place = sets.visit(ref, place, REPLIES);
    }
    return place;
  },
};

/** Replies all members, behind a head that is written already. */
export function replyMembers(call: Call, space: Keyspace, ref: number): void {
  const { sets } = space.values;
  const from = sets.firstPlace(ref);
  const to = sets.endPlace(ref);
  replyLasting(call, space, ref, MEMBERS, from, to, sets.length(ref));
}
