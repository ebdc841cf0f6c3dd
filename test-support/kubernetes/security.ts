// What a pod may do: less than Kubernetes' `restricted` profile allows, which the API server holds it to.
import { type Base, ofKind, podsOf, unmet } from './base.ts';

const ENFORCED = 'pod-security.kubernetes.io/enforce';
const SECRETS_MODE = 0o440;

/** What a pod of the base could do and need not. What the form rules out is not asked again. */
export function securityProblems(base: Base): string[] {
  const labels = ofKind(base, 'Namespace').map(({ object: { metadata } }) => metadata.labels ?? {});
  const isRestricted = labels.length === 1 && labels[0]?.[ENFORCED] === 'restricted';
  const ofNamespace = unmet('the namespace', [[isRestricted, `${ENFORCED} is not restricted`]]);
  const ofPods = podsOf(base).flatMap(({ where, spec, container }) => {
    const { runAsNonRoot, runAsUser = 0, runAsGroup, fsGroup, seccompProfile } = spec.securityContext ?? {};
    const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } =
      container.securityContext ?? {};
    const { requests, limits } = container.resources ?? {};
    return unmet(where, [
      [runAsNonRoot === true && runAsUser > 0, 'it may be root'],
      [seccompProfile?.type === 'RuntimeDefault', "it has not its runtime's seccomp profile"],
      [allowPrivilegeEscalation === false, 'it may gain privileges'],
      [capabilities?.drop?.join() === 'ALL' && capabilities.add === undefined, 'it has capabilities'],
      [readOnlyRootFilesystem === true, 'its file system is not read-only'],
      [spec.automountServiceAccountToken === false, 'it has a token for the API server'],
      [spec.enableServiceLinks === false, 'every Service puts variables into it'],
      [fsGroup !== undefined && fsGroup === runAsGroup, 'its group can not read its Secrets'],
      [
        (spec.volumes ?? []).every(({ secret }) => secret?.defaultMode === SECRETS_MODE),
        'its Secrets are not for its group alone to read',
      ],
      [requests?.cpu !== undefined && requests.memory !== undefined, 'it asks for no CPU or no memory'],
      [Object.keys(limits ?? {}).join() === 'memory', 'not exactly its memory has a limit'],
    ]);
  });
  return [...ofNamespace, ...ofPods];
}
