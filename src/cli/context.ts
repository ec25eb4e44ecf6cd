/** The part of `process` that the command line uses; tests pass their own. */
export interface CliProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin?: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  on(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(event: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** What every command gets from the command line. */
export interface CliContext {
  readonly host: CliProcess;
  readonly signal: AbortSignal;
}

/** The options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly root?: string;
  readonly user?: boolean;
  readonly debug?: boolean;
  readonly yes?: boolean;
}
