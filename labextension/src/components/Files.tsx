import * as React from 'react';

import { hasFiles, readDrop } from '../dnd';
import { Breadcrumbs } from './Breadcrumbs';
import type { IPanelContext } from './context';
import { Filter } from './Filter';
import { Grid } from './Grid';
import { useSignal } from './hooks';

/** The directory that is browsed: breadcrumbs, rows, and what is said about them. */
export function Files({ context }: { context: IPanelContext }): React.JSX.Element {
  const { model, trans } = context;
  const { browser } = model;
  useSignal(browser.changed);
  useSignal(model.changed);
  const [target, setTarget] = React.useState<string | null>(null);

  if (!browser.tier) {
    return <div className="jp-Storage-message">{trans.__('Choose a tier to see its files.')}</div>;
  }
  const enter = (event: React.DragEvent) => {
    if (hasFiles(event.dataTransfer) && !browser.error) {
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      setTarget(targetOf(event, browser.path));
    }
  };
  const drop = (event: React.DragEvent) => {
    setTarget(null);
    if (hasFiles(event.dataTransfer) && !browser.error) {
      event.preventDefault();
      const directory = targetOf(event, browser.path);
      void readDrop(event.dataTransfer).then(dropped => model.upload(dropped, directory));
    }
  };
  const leave = (event: React.DragEvent) => {
    if (!event.currentTarget.contains(event.relatedTarget as Node | null)) {
      setTarget(null);
    }
  };
  return (
    <div
      className={`jp-Storage-files${target === browser.path ? ' jp-mod-dropTarget' : ''}`}
      onDragOver={enter}
      onDragLeave={leave}
      onDrop={drop}
    >
      <Breadcrumbs context={context} />
      <Filter context={context} />
      {browser.error ? (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          <p>{browser.error}</p>
          <button className="jp-Storage-link" onClick={() => void browser.refresh()}>
            {trans.__('Retry')}
          </button>
        </div>
      ) : (
        <Grid context={context} dropTarget={target} />
      )}
      <div className="jp-Storage-statusLine" role="status">
        {target && target !== browser.path ? trans.__('Upload into %1', target) : summary(context)}
      </div>
    </div>
  );
}

/** The directory that a drop at this place means: a folder's row, else what is shown. */
function targetOf(event: React.DragEvent, shown: string): string {
  const row = (event.target as Element).closest<HTMLElement>('[data-directory]');
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
