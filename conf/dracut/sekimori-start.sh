#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Before udev looks for devices. dracut reads this file into its own shell, so the work is a program of its own.
/sbin/sekimori-early start
