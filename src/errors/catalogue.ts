import { ExitStatus } from './exit-status.js';

/** What the catalogue says of one problem. */
export interface CatalogueEntry {
  /** The status that the program exits with. */
  readonly exitStatus: ExitStatus;
  /** One line for the manual page. */
  readonly meaning: string;
}

/**
 * Every problem that a user can meet, by its stable code. A throw site chooses a code and words, never a status.
 * Codes are part of berth's interface (`--json` shows them): they are added, not renamed.
 */
export const catalogue = {
  // Command line
  USAGE: { exitStatus: ExitStatus.usage, meaning: 'options or arguments are wrong' },
  REFERENCE_INVALID: { exitStatus: ExitStatus.usage, meaning: 'not a valid image reference' },
  NAME_INVALID: { exitStatus: ExitStatus.usage, meaning: 'not a valid container name' },
  VALUE_INVALID: {
    exitStatus: ExitStatus.usage,
    meaning: 'a value cannot stand where its variable is used',
  },
  VARIABLE_MISSING: {
    exitStatus: ExitStatus.usage,
    meaning: 'a variable of the image has no value',
  },

  // Host and operating system
  NEEDS_ROOT: { exitStatus: ExitStatus.noPermission, meaning: 'the operation needs root' },
  SYSTEM_CALL_FAILED: { exitStatus: ExitStatus.osError, meaning: 'the kernel refused a call' },
  NAMESPACES_FORBIDDEN: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'users may not make the namespaces that a container of theirs needs',
  },
  DISK_FULL: { exitStatus: ExitStatus.cannotCreate, meaning: 'no space, inodes or quota left' },
  PROGRAM_MISSING: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'a program that is needed is not installed',
  },
  PROGRAM_FAILED: { exitStatus: ExitStatus.failure, meaning: 'a program that berth ran failed' },
  LIBRARY_MISSING: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'a shared library that is needed is missing',
  },
  BUSY: { exitStatus: ExitStatus.temporary, meaning: 'another berth is working on the same thing' },
  CANCELLED: { exitStatus: ExitStatus.failure, meaning: 'the operation was interrupted' },
  LIMIT_EXCEEDED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'foreign data is larger than berth accepts',
  },

  SCAN_FAILED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a scanner failed, or did not say what it found',
  },

  // Configuration
  CONFIG_INVALID: { exitStatus: ExitStatus.config, meaning: 'a configuration file is wrong' },

  // Registry and transports
  REGISTRY_UNREACHABLE: {
    exitStatus: ExitStatus.temporary,
    meaning: 'the registry cannot be reached',
  },
  REGISTRY_TLS: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'the certificate of the registry is not acceptable',
  },
  REGISTRY_UNAUTHORIZED: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'the registry refused the credentials',
  },
  REGISTRY_BLOCKED: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'registries.conf blocks the registry',
  },
  REGISTRY_NOT_FOUND: { exitStatus: ExitStatus.noInput, meaning: 'the registry has no such image' },
  REGISTRY_TEMPORARY: {
    exitStatus: ExitStatus.temporary,
    meaning: 'the registry is overloaded or out of order',
  },
  REGISTRY_PROTOCOL: {
    exitStatus: ExitStatus.protocol,
    meaning: 'the registry answered outside its specification',
  },
  REGISTRY_REDIRECT: {
    exitStatus: ExitStatus.protocol,
    meaning: 'the registry redirects to where berth will not go',
  },
  TRANSPORT_UNKNOWN: { exitStatus: ExitStatus.usage, meaning: 'no such image transport' },
  ENGINE_UNAVAILABLE: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'the docker engine cannot be reached, or refused',
  },
  DESTINATION_EXISTS: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'something stands where an image is to be written',
  },
  DESTINATION_UNWRITABLE: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'the place for an image cannot be written to',
  },
  IMAGE_NOT_FOUND: { exitStatus: ExitStatus.noInput, meaning: 'no such image' },

  // Documents and content
  JSON_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a document is not the JSON that it should be',
  },
  MANIFEST_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a manifest or index is malformed or ambiguous',
  },
  MANIFEST_UNSUPPORTED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a manifest of a kind that berth does not take',
  },
  IMAGE_CONFIG_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'the configuration of an image is malformed',
  },
  PLATFORM_NOT_FOUND: {
    exitStatus: ExitStatus.noInput,
    meaning: 'the image does not exist for this platform',
  },
  DIGEST_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'not a digest that berth can verify',
  },
  CONTENT_MISMATCH: {
    exitStatus: ExitStatus.dataError,
    meaning: 'received content is not what was promised',
  },
  CONTENT_TRUNCATED: {
    exitStatus: ExitStatus.temporary,
    meaning: 'content ended before its promised size',
  },

  // Signatures
  SIGNATURE_REFUSED: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'the policy of the host rejects the image, signed or not',
  },
  SIGNATURE_MISSING: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'the policy of the host asks for a signature, and the image has none of the kind',
  },
  SIGNATURE_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'no signature of the image is what the policy of the host asks for',
  },
  SIGNATURE_UNAVAILABLE: {
    exitStatus: ExitStatus.temporary,
    meaning: 'the place with the signatures does not answer, or not as it should',
  },
  DOWNGRADE_REFUSED: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'an update would bring an older signed image than was installed',
  },
  SIGNATURE_UNSUPPORTED: {
    exitStatus: ExitStatus.config,
    meaning: 'the policy of the host asks for a kind of signature that berth does not verify',
  },
  SIGNATURE_KEY_INVALID: {
    exitStatus: ExitStatus.config,
    meaning: 'a key that the policy of the host names cannot be used',
  },

  // Layers
  LAYER_ARCHIVE_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a layer is not a well-formed archive',
  },
  LAYER_COMPRESSION_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'the compressed data of a layer is damaged',
  },
  LAYER_PATH_ESCAPE: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a layer names a path outside the image',
  },
  LAYER_ENTRY_REFUSED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a layer holds an entry that berth does not take',
  },
  LAYER_DISPUTED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'two repositories say different things of one layer',
  },
  LAYER_LIMIT_EXCEEDED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a layer is larger than the limits allow',
  },

  // Store
  STORE_INVALID: { exitStatus: ExitStatus.dataError, meaning: 'the store is damaged' },
  STORE_FORMAT: {
    exitStatus: ExitStatus.config,
    meaning: 'the store was written by a newer berth',
  },
  STORE_UNSUITABLE: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'the place cannot hold a store',
  },

  IMAGE_IN_USE: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'an image that a deployment was made of stays',
  },

  // Exports and templates
  EXPORTS_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'the /exports of an image are malformed',
  },
  TEMPLATE_INVALID: { exitStatus: ExitStatus.dataError, meaning: 'a template cannot be rendered' },
  UNIT_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a unit is malformed or asks for what is not allowed',
  },
  TMPFILES_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a tmpfiles line is malformed or not allowed',
  },
  HOST_PATH_REFUSED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'an image asks for a host path that it may not have',
  },
  HOST_FILE_EXISTS: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'a file of the host stands where the image wants one',
  },

  // Runtime
  RUNTIME_CONFIG_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a config.json is malformed or not allowed',
  },
  RUNTIME_UNSUPPORTED: {
    exitStatus: ExitStatus.dataError,
    meaning: 'a config.json asks for what this host cannot do',
  },
  CGROUP_FAILED: {
    exitStatus: ExitStatus.osError,
    meaning: "a container's cgroup cannot be made, changed or taken away",
  },
  LAUNCHER_MISSING: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'the launcher is not built or not installed',
  },

  // Containers and systemd
  CONTAINER_EXISTS: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'a container of that name is there and differs',
  },
  CONTAINER_NOT_FOUND: { exitStatus: ExitStatus.noInput, meaning: 'no such container' },
  CONTAINER_NOT_RUNNING: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'the container runs no program at present',
  },
  CONTAINER_STATE_INVALID: {
    exitStatus: ExitStatus.dataError,
    meaning: 'the record of a container is damaged',
  },
  DEPENDENCY_MISSING: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'nothing on the host is what a container requires',
  },
  DEPENDENCY_CYCLE: {
    exitStatus: ExitStatus.dataError,
    meaning: 'containers or units would wait for each other',
  },
  DEPENDENCY_CONFLICT: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'a container must not be installed beside another one',
  },
  CONTAINER_REQUIRED: {
    exitStatus: ExitStatus.failure,
    meaning: 'other containers require the container',
  },
  SET_NOT_FOUND: { exitStatus: ExitStatus.noInput, meaning: 'no such set of containers' },
  SET_EXISTS: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'a set of that name is there and has other containers',
  },
  UPDATE_UNHEALTHY: {
    exitStatus: ExitStatus.wentBack,
    meaning: 'the other version did not start or stay well; the one before is back',
  },
  CONSENT_MISSING: {
    exitStatus: ExitStatus.noPermission,
    meaning: 'a new version may do more than the installed one, and nobody has allowed it',
  },
  DEPLOYMENT_NOT_FOUND: {
    exitStatus: ExitStatus.noInput,
    meaning: 'a container has no such deployment, or none to go back to',
  },
  UNIT_EXISTS: {
    exitStatus: ExitStatus.cannotCreate,
    meaning: 'a unit of that name is there and is not ours',
  },
  UNIT_MASKED: { exitStatus: ExitStatus.cannotCreate, meaning: 'the unit is masked' },
  SYSTEMD_UNAVAILABLE: {
    exitStatus: ExitStatus.unavailable,
    meaning: 'systemd or its bus cannot be reached',
  },
  SYSTEMD_CALL_FAILED: { exitStatus: ExitStatus.failure, meaning: 'systemd refused a call' },
  SYSTEMD_TIMEOUT: {
    exitStatus: ExitStatus.temporary,
    meaning: 'systemd did not answer, or did not finish a job, in time',
  },
  SYSTEMD_PROTOCOL: {
    exitStatus: ExitStatus.protocol,
    meaning: 'systemd answered outside its interface',
  },
  UNIT_JOB_FAILED: { exitStatus: ExitStatus.failure, meaning: 'a unit did not start or stop' },
} as const satisfies Record<string, CatalogueEntry>;

/** The stable name of a problem: a key of the {@link catalogue}. */
export type ErrorCode = keyof typeof catalogue;
