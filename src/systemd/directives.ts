/*
 * The directives that systemd 252, 257 and 262 know: what `systemd --dump-configuration-items` prints there (a test on
 * booted hosts compares), as `NAME` or `NAME:VERSION` where the first of the three that has it is not 252. Directives that
 * 262 no longer knows are here too: published images have them, and systemd passes over them with a warning.
 */

/** How the value of a directive is read, as far as it is checked here. */
export type DirectiveKind = 'boolean' | 'seconds' | 'other';

/** A directive as one section knows it. */
export interface Directive {
  readonly kind: DirectiveKind;
  /** The first of 252, 257 and 262 that knows it. */
  readonly since: number;
}

type Table = Readonly<Partial<Record<DirectiveKind, string>>>;

/** systemd.exec(5) and systemd.kill(5): what runs processes. */
const EXECUTION: Table = {
  boolean: `
    CPUSchedulingResetOnFork CacheDirectoryAccounting:262 DynamicUser IgnoreSIGPIPE LockPersonality
    LogsDirectoryAccounting:262 MemoryDenyWriteExecute NoNewPrivileges PrivateDevices PrivateIPC PrivateNetwork
    ProtectClock ProtectKernelLogs ProtectKernelModules ProtectKernelTunables RemoveIPC RestrictRealtime
    RestrictSUIDSGID RootEphemeral:257 SendSIGHUP SendSIGKILL StateDirectoryAccounting:262 SyslogLevelPrefix
    TTYReset TTYVHangup TTYVTDisallocate`,
  seconds: `
    LogRateLimitIntervalSec TimeoutCleanSec TimeoutSec`,
  other: `
    AmbientCapabilities AppArmorProfile BPFDelegateAttachments:262 BPFDelegateCommands:262 BPFDelegateMaps:262
    BPFDelegatePrograms:262 BindLogSockets:257 BindPaths BindReadOnlyPaths CPUAffinity CPUSchedulingPolicy
    CPUSchedulingPriority CacheDirectory CacheDirectoryMode CacheDirectoryQuota:262 CapabilityBoundingSet
    ConfigurationDirectory ConfigurationDirectoryMode CoredumpFilter DelegateNamespaces:262 Environment
    EnvironmentFile ExecPaths ExecSearchPath ExtensionDirectories ExtensionImagePolicy:257 ExtensionImages
    FinalKillSignal Group IOSchedulingClass IOSchedulingPriority IPCNamespacePath ImportCredential:257
    InaccessibleDirectories InaccessiblePaths KeyringMode KillMode KillSignal LimitAS LimitCORE LimitCPU LimitDATA
    LimitFSIZE LimitLOCKS LimitMEMLOCK LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO
    LimitRTTIME LimitSIGPENDING LimitSTACK LoadCredential LoadCredentialEncrypted LogExtraFields
    LogFilterPatterns:257 LogLevelMax LogNamespace LogRateLimitBurst LogsDirectory LogsDirectoryMode
    LogsDirectoryQuota:262 MemoryKSM:257 MemoryTHP:262 MountAPIVFS MountFlags MountImagePolicy:257 MountImages
    NUMAMask NUMAPolicy NetworkNamespacePath Nice NoExecPaths OOMScoreAdjust PAMName PassEnvironment Personality
    PrivateBPF:262 PrivateMounts PrivatePIDs:257 PrivateTmp PrivateUsers ProcSubset ProtectControlGroups ProtectHome
    ProtectHostname ProtectProc ProtectSystem ReadOnlyDirectories ReadOnlyPaths ReadWriteDirectories ReadWritePaths
    RestartKillSignal RestrictAddressFamilies RestrictFileSystems RestrictNamespaces RootDirectory RootHash
    RootHashSignature RootImage RootImageOptions RootImagePolicy:257 RootMStack:262 RootVerity RuntimeDirectory
    RuntimeDirectoryMode RuntimeDirectoryPreserve SELinuxContext SecureBits SetCredential SetCredentialEncrypted
    SetLoginEnvironment:257 SmackProcessLabel StandardError StandardInput StandardInputData StandardInputText
    StandardOutput StateDirectory StateDirectoryMode StateDirectoryQuota:262 SupplementaryGroups SyslogFacility
    SyslogIdentifier SyslogLevel SystemCallArchitectures SystemCallErrorNumber SystemCallFilter SystemCallLog
    TTYColumns TTYPath TTYRows TemporaryFileSystem TimerSlackNSec UMask UnsetEnvironment User UserNamespacePath:262
    UtmpIdentifier UtmpMode WatchdogSignal WorkingDirectory`,
};

/** systemd.resource-control(5): what has a control group. */
const RESOURCES: Table = {
  boolean: `
    BlockIOAccounting CPUAccounting CoredumpReceive:257 IOAccounting IPAccounting MemoryAccounting
    MemoryZSwapWriteback:257 TasksAccounting`,
  seconds: `
    CPUPressureThresholdSec:262 IOPressureThresholdSec:262 MemoryPressureThresholdSec:257`,
  other: `
    AllowedCPUs AllowedMemoryNodes BPFProgram BindNetworkInterface:262 BlockIODeviceWeight BlockIOReadBandwidth
    BlockIOWeight BlockIOWriteBandwidth CPUPressureWatch:262 CPUQuota CPUQuotaPeriodSec CPUSetPartition:262
    CPUShares CPUWeight DefaultMemoryLow DefaultMemoryMin DefaultStartupMemoryLow:257 Delegate DelegateSubgroup:257
    DeviceAllow DevicePolicy DisableControllers IODeviceLatencyTargetSec IODeviceWeight IOPressureWatch:262
    IOReadBandwidthMax IOReadIOPSMax IOWeight IOWriteBandwidthMax IOWriteIOPSMax IPAddressAllow IPAddressDeny
    IPEgressFilterPath IPIngressFilterPath ManagedOOMMemoryPressure ManagedOOMMemoryPressureDurationSec:257
    ManagedOOMMemoryPressureLimit ManagedOOMPreference ManagedOOMSwap MemoryHigh MemoryLimit MemoryLow MemoryMax
    MemoryMin MemoryPressureWatch:257 MemorySwapMax MemoryZSwapMax:257 NFTSet:257 OOMRules:262
    RestrictNetworkInterfaces Slice SocketBindAllow SocketBindDeny StartupAllowedCPUs StartupAllowedMemoryNodes
    StartupBlockIOWeight StartupCPUShares StartupCPUWeight StartupIOWeight StartupMemoryHigh:257
    StartupMemoryLow:257 StartupMemoryMax:257 StartupMemorySwapMax:257 StartupMemoryZSwapMax:257 TasksMax`,
};

/** Of [Unit] alone. */
const UNIT: Table = {
  boolean: `
    AllowIsolate DefaultDependencies IgnoreOnIsolate OnFailureIsolate RefuseManualStart RefuseManualStop
    StopWhenUnneeded SurviveFinalKillSignal:257`,
  seconds: `
    StartLimitInterval StartLimitIntervalSec`,
  other: `
    After AssertACPower AssertArchitecture AssertCPUFeature AssertCPUPressure AssertCPUs AssertCapability
    AssertControlGroupController AssertCredential AssertDirectoryNotEmpty AssertEnvironment AssertFileIsExecutable
    AssertFileNotEmpty AssertFirstBoot AssertFraction:262 AssertGroup AssertHost AssertIOPressure
    AssertKernelCommandLine AssertKernelModuleLoaded:262 AssertKernelVersion AssertMachineTag:262 AssertMemory
    AssertMemoryPressure AssertNeedsUpdate AssertOSRelease AssertPathExists AssertPathExistsGlob
    AssertPathIsDirectory AssertPathIsEncrypted AssertPathIsMountPoint AssertPathIsReadWrite AssertPathIsSocket:262
    AssertPathIsSymbolicLink AssertSecurity AssertUser AssertVersion:262 AssertVirtualization Before BindTo BindsTo
    CollectMode ConditionACPower ConditionArchitecture ConditionCPUFeature ConditionCPUPressure ConditionCPUs
    ConditionCapability ConditionControlGroupController ConditionCredential ConditionDirectoryNotEmpty
    ConditionEnvironment ConditionFileIsExecutable ConditionFileNotEmpty ConditionFirmware ConditionFirstBoot
    ConditionFraction:262 ConditionGroup ConditionHost ConditionIOPressure ConditionKernelCommandLine
    ConditionKernelModuleLoaded:262 ConditionKernelVersion ConditionMachineTag:262 ConditionMemory
    ConditionMemoryPressure ConditionNeedsUpdate ConditionOSRelease ConditionPathExists ConditionPathExistsGlob
    ConditionPathIsDirectory ConditionPathIsEncrypted ConditionPathIsMountPoint ConditionPathIsReadWrite
    ConditionPathIsSocket:262 ConditionPathIsSymbolicLink ConditionSecurity ConditionUser ConditionVersion:262
    ConditionVirtualization Conflicts Description Documentation FailureAction FailureActionExitStatus
    JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument JobTimeoutSec JoinsNamespaceOf OnFailure
    OnFailureJobMode OnSuccess OnSuccessJobMode PartOf PropagateReloadFrom PropagateReloadTo PropagatesReloadTo
    PropagatesStopTo RebootArgument ReloadPropagatedFrom Requires RequiresMountsFor RequiresOverridable Requisite
    RequisiteOverridable SourcePath StartLimitAction StartLimitBurst StopPropagatedFrom SuccessAction
    SuccessActionExitStatus Upholds Wants WantsMountsFor:257`,
};

/** Of [Service] alone. */
const SERVICE: Table = {
  boolean: `
    GuessMainPID NonBlocking PermissionsStartOnly RemainAfterExit RootDirectoryStartOnly`,
  seconds: `
    RestartMaxDelaySec:257 RestartRandomizedDelaySec:262 RestartSec RuntimeMaxSec RuntimeRandomizedExtraSec
    StartLimitInterval TimeoutStartSec WatchdogSec`,
  other: `
    BusName ExecCondition ExecReload ExecReloadPost:262 ExecStart ExecStartPost ExecStartPre ExecStop ExecStopPost
    ExitType FailureAction FileDescriptorStoreMax FileDescriptorStorePreserve:257 LUOSession:262 NotifyAccess
    OOMPolicy OpenFile:257 PIDFile RebootArgument RefreshOnReload:262 ReloadSignal:257 Restart
    RestartForceExitStatus RestartMode:257 RestartPreventExitStatus RestartSteps:257 Sockets StartLimitAction
    StartLimitBurst SuccessExitStatus TimeoutAbortSec TimeoutStartFailureMode TimeoutStopFailureMode TimeoutStopSec
    Type USBFunctionDescriptors USBFunctionStrings`,
};

/** Of [Socket] alone. */
const SOCKET: Table = {
  boolean: `
    Accept AcceptFileDescriptors:262 Broadcast FlushPending FreeBind KeepAlive NoDelay PassCredentials
    PassFileDescriptorsToExec:257 PassPIDFD:262 PassPacketInfo PassSecurity RemoveOnStop ReusePort
    SELinuxContextFromNet Transparent Writable`,
  seconds: `
    DeferAcceptSec KeepAliveIntervalSec KeepAliveTimeSec PollLimitIntervalSec:257 TriggerLimitIntervalSec`,
  other: `
    Backlog BindIPv6Only BindToDevice DeferTrigger:262 DeferTriggerMaxSec:262 DirectoryMode ExecStartPost
    ExecStartPre ExecStopPost ExecStopPre FileDescriptorName IPTOS IPTTL KeepAliveProbes ListenDatagram ListenFIFO
    ListenMessageQueue ListenNetlink ListenSequentialPacket ListenSpecial ListenStream ListenUSBFunction Mark
    MaxConnections MaxConnectionsPerSource MessageQueueMaxMessages MessageQueueMessageSize PipeSize
    PollLimitBurst:257 Priority ReceiveBuffer SendBuffer Service SmackLabel SmackLabelIPIn SmackLabelIPOut
    SocketGroup SocketMode SocketProtocol SocketUser Symlinks TCPCongestion Timestamping TriggerLimitBurst
    XAttrAccept:262 XAttrEntryPoint:262 XAttrListen:262`,
};

/** Of [Timer] alone. */
const TIMER: Table = {
  boolean: `
    DeferReactivation:257 FixedRandomDelay OnClockChange OnTimezoneChange Persistent RemainAfterElapse WakeSystem`,
  seconds: `
    AccuracySec RandomizedDelaySec RandomizedOffsetSec:262`,
  other: `
    OnActiveSec OnBootSec OnCalendar OnStartupSec OnUnitActiveSec OnUnitInactiveSec Unit`,
};

/** Of [Path] alone. */
const PATH: Table = {
  boolean: `
    MakeDirectory`,
  seconds: `
    TriggerLimitIntervalSec`,
  other: `
    DirectoryMode DirectoryNotEmpty PathChanged PathExists PathExistsGlob PathModified TriggerLimitBurst Unit`,
};

/** Of [Mount] alone. */
const MOUNT: Table = {
  boolean: `
    ForceUnmount LazyUnmount ReadWriteOnly SloppyOptions`,
  other: `
    DirectoryMode Options Type What Where`,
};

/** Of [Automount] alone. */
const AUTOMOUNT: Table = {
  other: `
    DirectoryMode ExtraOptions TimeoutIdleSec Where`,
};

/** Of [Swap] alone. */
const SWAP: Table = {
  other: `
    Options Priority What`,
};

/** Of [Slice] alone. */
const SLICE: Table = {
  other: `
    ActivatingConcurrencyMax:262 ConcurrencyHardMax:262 ConcurrencySoftMax:262`,
};

/** Of [Scope] alone. */
const SCOPE: Table = {
  boolean: `
    SendSIGHUP SendSIGKILL`,
  seconds: `
    RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutStopSec`,
  other: `
    FinalKillSignal KillMode KillSignal OOMPolicy RestartKillSignal WatchdogSignal`,
};

/** Of [Install] alone. */
const INSTALL: Table = {
  other: `
    Alias Also DefaultInstance RequiredBy UpheldBy:257 WantedBy`,
};

const SECTIONS: Readonly<Record<string, readonly Table[]>> = {
  Unit: [UNIT],
  Service: [SERVICE, EXECUTION, RESOURCES],
  Socket: [SOCKET, EXECUTION, RESOURCES],
  Timer: [TIMER],
  Path: [PATH],
  Mount: [MOUNT, EXECUTION, RESOURCES],
  Automount: [AUTOMOUNT],
  Swap: [SWAP, EXECUTION, RESOURCES],
  Slice: [SLICE, RESOURCES],
  Scope: [SCOPE, RESOURCES],
  Install: [INSTALL],
};

/** Whether the values of a directive are command lines: `ExecPaths=` and `ExecSearchPath=` have none. */
export function isCommand(key: string): boolean {
  return /^Exec(?:Condition|Reload|Start|Stop)/.test(key);
}

let parsed: ReadonlyMap<string, ReadonlyMap<string, Directive>> | undefined;

/** The directives of a section by name; undefined for a section that systemd does not know. */
export function directivesOf(section: string): ReadonlyMap<string, Directive> | undefined {
  parsed ??= new Map(
    Object.entries(SECTIONS).map(([name, tables]) => [name, new Map(tables.flatMap(parseTable))]),
  );
  return parsed.get(section);
}

/** All sections of all unit types. */
export function knownSections(): readonly string[] {
  return Object.keys(SECTIONS);
}

function parseTable(table: Table): readonly [string, Directive][] {
  return (['boolean', 'seconds', 'other'] as const).flatMap((kind) =>
    (table[kind] ?? '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word): [string, Directive] => {
        const [name, since] = word.split(':');
        return [name ?? word, { kind, since: Number(since ?? '252') }];
      }),
  );
}
