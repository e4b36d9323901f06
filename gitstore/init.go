package gitstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Init makes dir an empty bare repository whose HEAD is the branch, as git init --bare does. A repository that is
// there already is left as it is.
func Init(dir, branch string) error {
	fail := func(err error) error { return fmt.Errorf("make repository: %w", err) }
	for _, name := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(name)), 0o755); err != nil { // #nosec G301 -- as git makes them: others may read a repository
			return fail(err)
		}
	}
	for name, content := range map[string]string{
		"config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
		"HEAD":   "ref: refs/heads/" + branch + "\n",
	} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 G304 -- as git makes them, in the caller's folder
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			_, err = f.WriteString(content)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fail(err)
		}
	}
	return nil
}
