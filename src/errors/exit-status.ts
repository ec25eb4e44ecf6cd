/**
 * The statuses berth exits with: sysexits numbers, because systemd prints them by name and units can act on them
 * (`RestartPreventExitStatus=USAGE DATAERR NOPERM CONFIG`).
 */
export const ExitStatus = {
  /** Done; also: there was nothing to do. */
  ok: 0,
  /** It failed and no line below fits. */
  failure: 1,
  /** Bad options, a bad reference or name on the command line. */
  usage: 64,
  /** An image, manifest, archive or template is malformed, hostile or does not match its digest. */
  dataError: 65,
  /** No such container, image or file. */
  noInput: 66,
  /** A needed service or program is missing: the system bus, an OCI runtime, a library. */
  unavailable: 69,
  /** A bug in berth. */
  internal: 70,
  /** A system call failed and nothing better is known. */
  osError: 71,
  /** It exists already, or the place cannot be written. */
  cannotCreate: 73,
  /** Trying again may help: a time-out, 429, 5xx, a lock that is held. */
  temporary: 75,
  /** The registry or the bus answered outside its specification. */
  protocol: 76,
  /** Needs root; or 401 or 403. */
  noPermission: 77,
  /** One of berth's configuration files is wrong. */
  config: 78,
  /** The other version was not well, and the one before is in its place again. Not of sysexits. */
  wentBack: 79,
} as const;

/** One of the numbers of {@link ExitStatus}. */
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
