// What an operator can do with a server or a policy; what will happen is said before it does.
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { askToAct } from '../model/ask.ts';
import type { Act, Policy, Server } from '../model/contract.ts';
import { isInRotation, shownState } from '../model/rows.ts';
import { model, updateNow } from '../model/store.ts';
import { capital, count, nameOf, policyTitle } from '../model/words.ts';
import { textOf } from './head.ts';
import { sign } from './sign.ts';

type Properties = { policy: Policy; server: Server | null };

const NAMES = { probe: 'Probe now', drain: 'Drain', resume: 'Resume', forget: 'Forget' } as const;

export function Acts({ policy, server }: Properties) {
  const [act, setAct] = useState<Act | null>(null);
  const [outcome, setOutcome] = useState('');
  const isStale = model.connection.kind === 'stale';
  const targets = server === null ? policy.servers : [server];
  const isDrained = targets.some(({ ordered }) => ordered === 'drained');
  const canBe: Record<Act, boolean> = {
    probe: true,
    drain: targets.some(({ ordered }) => ordered !== 'drained'),
    resume: isDrained,
    forget: targets.every((each) => !isInRotation(each)),
  };
  return html`
    <div class="actions">
      ${(Object.keys(NAMES) as Act[]).map(
        (
          each,
        ) => html`<button type="button" class="button" key=${each} disabled=${isStale || !canBe[each]} aria-expanded=${act === each}
          onClick=${() => {
            setOutcome('');
            setAct(act === each ? null : each);
          }}>${NAMES[each]}</button>`,
      )}
      <span class="hint">${isStale ? 'the proxy does not answer' : model.token === '' ? html`${sign('lock', 13)} asks for the token` : ''}</span>
    </div>
    ${
      act !== null &&
      html`<${Form} act=${act} policy=${policy} server=${server} onEnd=${(text: string) => {
        setAct(null);
        setOutcome(text);
      }} />`
    }
    ${outcome !== '' && html`<p class="outcome" role="status">${outcome}</p>`}`;
}

function Form({ act, policy, server, onEnd }: Properties & { act: Act; onEnd: (outcome: string) => void }) {
  const [reason, setReason] = useState('');
  const [error, setError] = useState('');
  const [isBusy, setBusy] = useState(false);
  const { token, operator } = model;
  const { text, isLast } = consequence(act, policy, server);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const problem = await askToAct(
      { act, policy: policy.policy, id: server?.id, by: operator, reason },
      token,
    );
    setBusy(false);
    if (problem === null) onEnd(`${NAMES[act]}: done.`);
    else setError(problem);
  };
  return html`
    <form class="actform" onSubmit=${submit}>
      <p>${text}</p>
      <label>Your name<input value=${operator} required maxlength="60" onInput=${(event: InputEvent) => updateNow({ operator: textOf(event) })} /></label>
      <label>Reason<input value=${reason} maxlength="200" onInput=${(event: InputEvent) => setReason(textOf(event))} /></label>
      ${model.hello?.needsToken !== false && html`<label>Token<input type="password" value=${token} autocomplete="off" onInput=${(event: InputEvent) => updateNow({ token: textOf(event).trim() })} /></label>`}
      ${error !== '' && html`<p class="problem" role="alert">${error}</p>`}
      <button type="submit" class="button main" disabled=${isBusy}>${isLast && act === 'drain' ? 'Drain anyway' : NAMES[act]}</button>
    </form>`;
}

/** What an act will do, and what is left then. */
function consequence(act: Act, policy: Policy, server: Server | null): { text: string; isLast: boolean } {
  const title = policyTitle(policy.policy);
  const others =
    server === null ? 0 : policy.servers.filter((each) => each.id !== server.id && isInRotation(each)).length;
  const isLast =
    others === 0 && policy.servers.some(isInRotation) && (server === null || isInRotation(server));
  const who = server === null ? `All of ${title}` : nameOf(server);
  const keeps = isLast
    ? `${title} has no other server then: its requests will get NO_SERVER.`
    : `${title} keeps ${count(others, 'server')}.`;
  switch (act) {
    case 'drain':
      return {
        text: `${capital(who)} finishes what it has and gets nothing new until it is resumed. ${keeps}`,
        isLast,
      };
    case 'resume':
      return { text: `${capital(who)} gets requests again as soon as its probes pass.`, isLast };
    case 'forget':
      return {
        text: `${capital(who)} is taken out of the table (it is ${server === null ? 'out' : shownState(server)}). If it lives, it registers again.`,
        isLast,
      };
    case 'probe':
      return { text: `${capital(who)} is probed at once; the result counts like any other.`, isLast };
    default:
      return act satisfies never;
  }
}
