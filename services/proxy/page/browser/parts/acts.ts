// What an operator can do with a server or a policy; what will happen is said before it does.
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { askToAct } from '../model/ask.ts';
import type { Act, Policy, Server } from '../model/contract.ts';
import { isInRotation, shownState } from '../model/rows.ts';
import { model, updateNow } from '../model/store.ts';
import { count, nameFirst, policyTitle } from '../model/words.ts';
import { focusFirst, textOf } from './head.ts';
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
      html`<${Form} key=${act} act=${act} policy=${policy} server=${server} onEnd=${(text: string) => {
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
  const [token, setToken] = useState(model.token);
  const { operator } = model;
  const { text, isLast } = consequence(act, policy, server);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const missing = missingIn(operator, reason, token);
    setError(missing);
    if (missing !== '') return;
    setBusy(true);
    const failure = await askToAct(
      { act, policy: policy.policy, id: server?.id, by: operator, reason },
      token,
    );
    setBusy(false);
    if (failure === null) {
      updateNow({ token, isTokenProven: token !== '' });
      onEnd(`${NAMES[act]}: done.`);
      return;
    }
    if (failure.isDenied) updateNow({ token: '', isTokenProven: false });
    setError(failure.problem);
  };
  return html`
    <form class="actform" noValidate onSubmit=${submit}>
      <p>${text}</p>
      <label>Your name<input value=${operator} required maxlength="60" ref=${focusFirst} onInput=${(event: InputEvent) => updateNow({ operator: textOf(event) })} /></label>
      <label>Reason<input value=${reason} required maxlength="200" onInput=${(event: InputEvent) => setReason(textOf(event))} /></label>
      <label>Token<input type="password" value=${token} required autocomplete="off" aria-describedby="token-place" onInput=${(event: InputEvent) => setToken(textOf(event).trim())} /></label>
      <p class="about" id="token-place">In a Compose cluster: <span class="mono">.secrets/register-token</span></p>
      ${error !== '' && html`<p class="problem" role="alert">${error}</p>`}
      <button type="submit" class="button main" disabled=${isBusy}>${isLast && act === 'drain' ? 'Drain anyway' : NAMES[act]}</button>
    </form>`;
}

// The first field that is still empty, as a sentence; '' when there is none.
function missingIn(operator: string, reason: string, token: string): string {
  if (operator.trim() === '') return 'Give your name: the event says who ordered it.';
  if (reason.trim() === '') return 'Give a reason: the event says why it was ordered.';
  return token === '' ? 'Give the token: in a Compose cluster it is in .secrets/register-token.' : '';
}

/** What an act will do, and what is left then. */
function consequence(act: Act, policy: Policy, server: Server | null): { text: string; isLast: boolean } {
  const title = policyTitle(policy.policy);
  const others =
    server === null ? 0 : policy.servers.filter((each) => each.id !== server.id && isInRotation(each)).length;
  const isLast =
    others === 0 && policy.servers.some(isInRotation) && (server === null || isInRotation(server));
  const who = server === null ? `All of ${title}` : nameFirst(server);
  const keeps = isLast
    ? `${title} has no other server then: its requests will get NO_SERVER.`
    : `${title} keeps ${count(others, 'server')}.`;
  switch (act) {
    case 'drain':
      return {
        text: `${who} finishes what it has and gets nothing new until it is resumed. ${keeps}`,
        isLast,
      };
    case 'resume':
      return { text: `${who} gets requests again as soon as its probes pass.`, isLast };
    case 'forget':
      return {
        text: `${who} is taken out of the table (it is ${server === null ? 'out' : shownState(server)}). If it lives, it registers again.`,
        isLast,
      };
    case 'probe':
      return { text: `${who} is probed at once; the result counts like any other.`, isLast };
    default:
      return act satisfies never;
  }
}
