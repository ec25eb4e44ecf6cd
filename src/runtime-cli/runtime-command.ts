import type { OptionTable, ParsedArguments } from './parse-arguments.js';
import type { RuntimeContext } from './runtime-context.js';

/** One command: its options, and what it does. Gives the status to exit with. */
export interface RuntimeCommand {
  readonly options: OptionTable;
  /** Short forms. */
  readonly aliases?: Readonly<Record<string, string>>;
  run(context: RuntimeContext, args: ParsedArguments): number | Promise<number>;
}
