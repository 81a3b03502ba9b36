#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
/sbin/sekimori-early stop
