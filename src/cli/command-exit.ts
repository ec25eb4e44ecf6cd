/** Ends a command with a status other than 0 after it has said everything itself (`status` of a failed unit, `run`). */
export class CommandExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit with status ${status}`);
    this.status = status;
  }
}
