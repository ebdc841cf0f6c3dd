// What a pod may do: less than Kubernetes' `restricted` profile allows, which the API server holds it to.
import { type Base, type Pods, podsOf } from './base.ts';

/** Each with what a pod must be; a part that is not there is not so. */
const RULES: readonly [what: string, holds: (pods: Pods) => boolean][] = [
  ['runs nothing else', ({ spec }) => spec.initContainers === undefined],
  [
    'is not root',
    ({ spec: { securityContext } }) => securityContext?.runAsNonRoot === true && !!securityContext.runAsUser,
  ],
  [
    'has the seccomp profile of its runtime',
    ({ spec }) => spec.securityContext?.seccompProfile?.type === 'RuntimeDefault',
  ],
  ['gains no privileges', ({ container }) => container.securityContext?.allowPrivilegeEscalation === false],
  [
    'has no capabilities',
    ({ container: { securityContext } }) => {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {};
      return drop.join() === 'ALL' && add.length === 0;
    },
  ],
  [
    'has a read-only file system',
    ({ container }) => container.securityContext?.readOnlyRootFilesystem === true,
  ],
  [
    'overrides nothing that is said of its pod',
    ({ container: { securityContext = {} } }) =>
      Object.keys(securityContext).sort().join() ===
      'allowPrivilegeEscalation,capabilities,readOnlyRootFilesystem',
  ],
  [
    'has nothing of its node',
    ({ spec, container }) =>
      !spec.hostNetwork &&
      !spec.hostPID &&
      !spec.hostIPC &&
      !container.ports?.some(({ hostPort }) => hostPort !== undefined),
  ],
  [
    'mounts Secrets only',
    ({ spec }) => (spec.volumes ?? []).every((volume) => Object.keys(volume).sort().join() === 'name,secret'),
  ],
  ['has no token for the API server', ({ spec }) => spec.automountServiceAccountToken === false],
  ['gets no variables from Services', ({ spec }) => spec.enableServiceLinks === false],
  [
    'can read its Secrets as their group',
    ({ spec }) =>
      spec.securityContext?.fsGroup === spec.securityContext?.runAsGroup &&
      (spec.volumes ?? []).every(({ secret }) => secret?.defaultMode === 0o440),
  ],
  [
    'asks for CPU and memory',
    ({ container: { resources } }) => !!resources?.requests?.cpu && !!resources.requests.memory,
  ],
  [
    'has a limit on memory, and none on CPU',
    ({ container: { resources } }) => Object.keys(resources?.limits ?? {}).join() === 'memory',
  ],
];

/** What a pod of the base could do and need not. */
export function securityProblems(base: Base): string[] {
  return podsOf(base).flatMap((pods) =>
    RULES.filter(([, holds]) => !holds(pods)).map(([what]) => `${pods.where}: not so: it ${what}`),
  );
}
