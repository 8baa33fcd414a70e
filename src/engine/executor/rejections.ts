/**
 * Requests that are answered with an error before any command sees them: what an
 * error does to the session's transaction, to CLIENT REPLY and CLIENT CACHING,
 * and to the accounts.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { Command } from "../../core/commands/command_table.ts";
import { type ErrorReply, execAbort } from "../../core/resp/error_reply.ts";
import type { CommandAccounts } from "./command_accounts.ts";
import { DONE } from "./outcome.ts";
import {
  GATE_MULTI,
  GATE_REPLY_SKIP,
  GATE_REPLY_SKIP_NEXT,
  GATE_SILENT,
  GATE_TRACKING,
  type Session,
} from "./session.ts";
import { endCaching } from "./told_commands.ts";
import type { TransactionRunner } from "./transaction_runner.ts";

/** One per worker. */
export class Rejections<C extends Call> {
  readonly #call: C;
  readonly #accounts: CommandAccounts<C>;
  readonly #transactions: TransactionRunner<C>;

  /** `call` is the worker's call. */
  constructor(
    call: C,
    accounts: CommandAccounts<C>,
    transactions: TransactionRunner<C>,
  ) {
    this.#call = call;
    this.#accounts = accounts;
    this.#transactions = transactions;
  }

  /**
   * Answers the request at hand, of a command or of none, with an error: a
   * transaction will not run then, and EXEC ends it.
   */
  reject(command: Command<C> | null, cause: ErrorReply): number {
    const { reply } = this.#call;
    const session = this.#call.session as Session;
    let error = cause;
    if (command?.fullName === "exec") {
      this.#transactions.end(session);
      error = execAbort(cause.text.replace(/^ERR /, ""));
    }
    const { gate } = session;
    if ((gate & GATE_SILENT) === 0) reply.error(error);
    else session.gate &= ~(GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP);
    if ((gate & GATE_MULTI) !== 0) session.transaction!.isDoomed = true;
    if ((gate & GATE_TRACKING) !== 0) endCaching(session, command);
    this.#accounts.countRejected(command, error);
    return DONE;
  }
}
