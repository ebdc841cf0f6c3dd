// A packet through the well-known port, as any client sends it, and what became of it.
import { useState } from 'preact/hooks';
import { html } from '../html.ts';
import { askToSend } from '../model/ask.ts';
import type { Sent } from '../model/contract.ts';
import { model } from '../model/store.ts';
import { count, nameOf, whole } from '../model/words.ts';
import { showPath } from '../picture/path.ts';
import { textOf } from './head.ts';
import { sign } from './sign.ts';

const MAX_PAYLOAD = 1024;

export function Send() {
  const [policy, setPolicy] = useState('1');
  const [clientId, setClientId] = useState('900');
  const [typed, setTyped] = useState<string | null>(null);
  const payload = typed ?? `Packet for privacy policy ${policy}`;
  const [result, setResult] = useState<Sent | string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isStale = model.connection.kind === 'stale';
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const sent = await askToSend({ policy, clientId, payload });
    setBusy(false);
    setResult(sent);
    showPath(typeof sent === 'string' ? null : { policy, attempts: attemptsOf(sent) });
  };
  return html`
    <section class="panel send" aria-labelledby="send">
      <div class="tools"><h2 id="send">Send a packet</h2><span>through port ${model.hello?.wellKnownPort ?? '…'}, like any client</span></div>
      <form onSubmit=${submit}>
        <div class="two">
          <label>Policy<input id="send-policy" value=${policy} required maxlength="64" list="policies" autocomplete="off" onInput=${(event: InputEvent) => setPolicy(textOf(event))} /></label>
          <label>Client id<input value=${clientId} required maxlength="64" autocomplete="off" onInput=${(event: InputEvent) => setClientId(textOf(event))} /></label>
        </div>
        <datalist id="policies">${model.state?.policies.map((each) => html`<option key=${each.policy} value=${each.policy} />`)}</datalist>
        <label>Payload<textarea rows="2" value=${payload} maxlength=${MAX_PAYLOAD} spellcheck=${false} onInput=${(event: InputEvent) => setTyped(textOf(event))}></textarea></label>
        <div class="go"><span>${isStale ? 'The proxy does not answer' : `${whole(payload.length)} of ${whole(MAX_PAYLOAD)} characters`}</span>
          <button type="submit" class="button main" disabled=${isBusy || isStale}>${isBusy ? 'Sending' : 'Send'} ${sign('arrow', 14)}</button></div>
      </form>
      <div class="reply" aria-live="polite">${result !== null && html`<${Reply} result=${result} policy=${policy} />`}</div>
    </section>`;
}

function attemptsOf({ attempts, server }: Sent): Sent['attempts'] {
  if (attempts.length > 0 || server === null) return attempts;
  return [{ ...server, outcome: 'answered' }];
}

function ms(value: number | undefined): string {
  return value === undefined ? '–' : `${value.toFixed(1)} ms`;
}

const isGood = (outcome: string): boolean => /^(answered|ok|pass)/.test(outcome);

function Reply({ result }: { result: Sent | string; policy: string }) {
  if (typeof result === 'string') {
    return html`<p class="outcome bad">${sign('none', 15)}<b>Not sent</b></p><p class="about">${result}</p>`;
  }
  const { ok, reply, raw, server, phases } = result;
  const { connectMs, queueMs, upstreamMs, totalMs } = phases;
  const attempts = attemptsOf(result);
  const took = ms(totalMs);
  const rest = Math.max(0, totalMs - (connectMs ?? 0) - (queueMs ?? 0) - (upstreamMs ?? 0));
  return html`
    ${
      ok
        ? html`<p class="outcome good">${sign('good', 15)}<b>Answered${server === null ? '' : ` by ${nameIn(server)}`} in ${took}</b></p>
          <p class="about">${count(attempts.length, 'attempt')}, the digest is right</p>`
        : html`<p class="outcome bad">${sign('none', 15)}<b>${reply?.code ?? 'No answer'} after ${took}</b></p>
          <p class="about">${reply?.error ?? explain(reply?.code)}</p>`
    }
    <${PhaseBar} parts=${[
      ['read', connectMs ?? 0],
      ['queue', queueMs ?? 0],
      ...attempts.map(({ outcome, ms: taken }) => [isGood(outcome) ? 'good' : 'failed', taken ?? 0] as const),
      ['back', rest],
    ]} />
    <ul class="phases">
      ${line('dot', 'connected, the proxy read it', ms(connectMs))}
      ${ok && line('dot', attempts.length > 1 ? 'waited, other servers included' : 'waited for its turn', ms(queueMs))}
      ${attempts.map((attempt, at) =>
        line(
          String(at + 1),
          html`<b>${nameIn(attempt)}</b> <b class=${isGood(attempt.outcome) ? 't-ready' : 't-suspect'}>${attempt.outcome}</b>`,
          ms(attempt.ms),
        ),
      )}
      ${line('dot', ok ? 'back to you' : 'until it was refused', ms(rest))}
    </ul>
    <pre class="raw mono" tabindex="0" aria-label="The reply as it came">${raw}</pre>`;
}

function nameIn(server: { id: string | number }): string {
  const known = model.state?.policies
    .flatMap(({ servers }) => servers)
    .find(({ id }) => String(id) === String(server.id));
  return nameOf({ id: server.id, name: known?.name });
}

function line(mark: string, what: unknown, value: string) {
  return html`<li>${mark === 'dot' ? html`<i class="dot"></i>` : html`<b class="mark">${mark}</b>`}<span>${what}</span><span class="number">${value}</span></li>`;
}

function PhaseBar({ parts }: { parts: readonly (readonly [kind: string, ms: number])[] }) {
  const total = parts.reduce((sum, [, value]) => sum + value, 0);
  if (total === 0) return null;
  let x = 0;
  return html`<svg class="phasebar" viewBox="0 0 340 8" width="100%" height="8" preserveAspectRatio="none" aria-hidden="true">${parts.map(
    ([kind, value]) => {
      const width = Math.max(1.5, (336 * value) / total);
      x += width;
      return html`<rect class=${kind} x=${x - width} width=${Math.max(1, width - 1)} height="8" rx="1.5" />`;
    },
  )}</svg>`;
}

function explain(code: string | undefined): string {
  if (code === 'NO_SERVER')
    return 'No server of this policy is ready. It was not sent to any server, so it is safe to try again.';
  return 'See the reply below.';
}
