/** One value to be written to a file of a cgroup. */
export interface ControlFile {
  /** The controller that has the file; on version 1 also where its directory is. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** The member of config.json that it comes from, for messages. */
  readonly member: string;
  /** File to take where this one does not exist: its newer or older name. */
  readonly otherwise?: { readonly file: string; readonly value: string };
}
