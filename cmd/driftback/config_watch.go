package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleConfig is how long after the last event the file is read: editors write in several steps.
const settleConfig = 200 * time.Millisecond

// A configWatch tells when a configuration file changed. It watches the folder,
// because editors and Kubernetes replace files instead of writing them.
type configWatch struct {
	path    string
	watcher *fsnotify.Watcher
	last    []byte
}

// watchConfig begins to watch; src is the content that is in use.
func watchConfig(path string, src []byte) (*configWatch, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	if err := w.Add(filepath.Dir(path)); err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("watch %s: %w", filepath.Dir(path), err)
	}
	return &configWatch{path: path, watcher: w, last: src}, nil
}

func (w *configWatch) close() { _ = w.watcher.Close() }

// next waits for other content and returns it parsed. A broken file is returned
// as an error once per content; ctx ends the wait with its error.
func (w *configWatch) next(ctx context.Context, log *slog.Logger) (*config, error) {
	timer := time.NewTimer(settleConfig)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case err, open := <-w.watcher.Errors:
			if !open {
				return nil, fmt.Errorf("watch %s: ended", w.path)
			}
			log.Warn("watching the configuration", "err", err)
			timer.Reset(settleConfig) // events were lost: look
		case _, open := <-w.watcher.Events:
			if !open {
				return nil, fmt.Errorf("watch %s: ended", w.path)
			}
			timer.Reset(settleConfig)
		case <-timer.C:
			src, err := readConfig(w.path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(src, w.last) {
				continue // being replaced, or only touched
			}
			if err != nil {
				return nil, err
			}
			w.last = src
			return loadConfig(w.path, src)
		}
	}
}
