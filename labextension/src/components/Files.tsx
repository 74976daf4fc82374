import { inspectorIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { BrowserModel } from '../browser-model';
import { CommandIDs } from '../tokens';
import { Breadcrumbs } from './Breadcrumbs';
import type { IPanelContext } from './context';
import { useDrops } from './drops';
import { Filter } from './Filter';
import { Grid } from './Grid';
import { useSignal } from './hooks';
import { PathInput } from './PathInput';
import { Welcome } from './Welcome';

/** The directory that is browsed: breadcrumbs, rows, and what is said about them. */
export function Files({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, columns, preview, trans } = context;
  const { browser } = model;
  useSignal(browser.changed);
  useSignal(model.changed);
  useSignal(columns.changed);
  useSignal(preview.changed);
  const { over, ref, handlers } = useDrops<HTMLDivElement>(context, target =>
    browser.error ? null : directoryAt(target, browser.path)
  );

  if (!browser.tier) {
    return <Welcome context={context} />;
  }
  return (
    <div
      className={`jp-Storage-files${over === browser.path ? ' jp-mod-dropTarget' : ''}`}
      ref={ref}
      style={columns.style}
      {...handlers}
    >
      {browser.typing ? <PathInput context={context} /> : <Breadcrumbs context={context} />}
      <Filter context={context} />
      {browser.error ? (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          <p>{browser.error}</p>
          <button className="jp-Storage-link" onClick={() => void browser.refresh()}>
            {trans.__('Retry')}
          </button>
        </div>
      ) : (
        <Grid context={context} dropTarget={over} />
      )}
      <div className="jp-Storage-statusLine">
        <span role="status">
          {over && over !== browser.path ? trans.__('Put into %1', over) : summary(context)}
        </span>
        {browser.loading && browser.isSearch && (
          <button className="jp-Storage-link" onClick={() => browser.stop()}>
            {trans.__('Stop')}
          </button>
        )}
        <button
          className="jp-Storage-iconButton"
          aria-pressed={preview.shown}
          disabled={!context.commands.isEnabled(CommandIDs.preview)}
          title={trans.__('Preview (Space)')}
          aria-label={trans.__('Preview')}
          onClick={() => void context.commands.execute(CommandIDs.preview)}
        >
          <inspectorIcon.react tag="span" className="jp-Storage-icon" />
        </button>
      </div>
    </div>
  );
}

/** The directory that a drop at this place means: a folder's row, else what is shown. */
function directoryAt(target: Element, shown: string): string {
  const row = target.closest<HTMLElement>('[data-directory]');
  return row?.dataset.directory ?? shown;
}

function summary({ model, trans }: IPanelContext): string {
  const { browser } = model;
  if (browser.error) {
    return '';
  }
  if (browser.loading && browser.entries.length === 0) {
    return browser.filter ? trans.__('Looking…') : trans.__('Loading…');
  }
  const chosen = browser.selectedCount;
  const count = browser.entries.length;
  if (browser.isSearch) {
    return found(browser, trans);
  }
  const all = browser.filter
    ? matches(browser.more, count, trans)
    : browser.more
      ? trans.__('First %1 items', count)
      : trans._n('%1 item', '%1 items', count);
  return chosen > 1 ? trans.__('%1, %2 selected', all, chosen) : all;
}

function matches(more: boolean, count: number, trans: IPanelContext['trans']): string {
  return more ? trans.__('First %1 matches', count) : trans._n('%1 match', '%1 matches', count);
}

function found(browser: BrowserModel, trans: IPanelContext['trans']): string {
  const { looked, unlisted, done, complete } = browser.search;
  const count = browser.entries.length;
  const matches = trans._n('%1 match', '%1 matches', count);
  if (browser.loading) {
    return trans.__('Looking… %1 in %2 items', matches, looked.toLocaleString());
  }
  if (!done) {
    return trans.__('%1; stopped after %2 items', matches, looked.toLocaleString());
  }
  if (unlisted) {
    const folders = trans._n('%1 folder', '%1 folders', unlisted);
    return trans.__('%1; %2 could not be read', matches, folders);
  }
  return complete ? matches : trans.__('First %1 matches', count);
}
