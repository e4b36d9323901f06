package main

import (
	"context"
	"errors"
)

// The exit codes, as the manual has them.
const (
	exitDone        = 0
	exitError       = 1
	exitDifferent   = 2
	exitHeld        = 3
	exitInterrupted = 130
)

var (
	// errDifferent ends a command that was asked to tell differences by its exit code.
	errDifferent = errors.New("there are differences")
	// errHeld ends a command whose work a gate holds; what holds it has been printed.
	errHeld = errors.New("held")
	// errReported ends a command whose result, already printed, says that something is wrong.
	errReported = errors.New("reported")
)

// exitCode maps what a command returned to the process's exit code.
func exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err())):
		return exitInterrupted
	case errors.Is(err, errDifferent):
		return exitDifferent
	case errors.Is(err, errHeld):
		return exitHeld
	}
	return exitError
}

// silent reports whether everything about err has been printed as the command's result.
func silent(err error) bool {
	return errors.Is(err, errDifferent) || errors.Is(err, errHeld) || errors.Is(err, errReported)
}
